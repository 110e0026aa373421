"""Cores that inference keeps to, where a machine has some to spare for everything else."""

import os
from collections.abc import Iterable
from threading import local


def share_out(cores: Iterable[int], *, nodes: int, threads: int) -> list[tuple[int, ...]]:
    """Return `threads` of a machine's cores for each of its nodes, the highest numbers first.

    None for anybody unless a core is left over: a thread that may not move is slower than
    others where it has to share.
    """
    highest = sorted(cores, reverse=True)
    if nodes * threads >= len(highest):
        return [()] * nodes
    return [tuple(highest[n * threads : (n + 1) * threads]) for n in range(nodes)]


def usable_cores() -> frozenset[int]:
    """Return the numbers of the cores that this process may use, none where nobody tells."""
    try:
        return frozenset(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return frozenset()


class Affinity:
    """Keeps those threads that ask for it to `cores`, or leaves all alone without any."""

    def __init__(self, cores: Iterable[int]) -> None:
        self._cores = frozenset(cores)
        self._asked = local()

    def apply(self) -> None:
        """Keep the calling thread to the cores, from the first time it asks."""
        if not self._cores or getattr(self._asked, "before", False):
            return
        self._asked.before = True
        try:
            os.sched_setaffinity(0, self._cores)
        except (AttributeError, OSError):
            # They may have been taken from this process since; it is but a matter of speed.
            return
