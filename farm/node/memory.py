"""Memory: freed, it is given back to the system; no request and no trial may take all of it."""

import contextlib
import ctypes
import resource
from pathlib import Path

# What a process may take of the memory that is available now. More would make the kernel, or
# Ray's own watch over memory, end the actor instead of what asks for too much.
_SHARE = 0.75


def release_memory() -> None:
    """Ask the C library to return what it holds of freed memory; on any but glibc, nothing.

    Where other threads go on allocating, glibc keeps a closed session's weights (26 MB of a
    model of 8 MB, 96 MB of one of 40 MB) and what opening one took besides its weights, some
    7 MB of 8 MB, against 1 to 25 ms to return them.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def end_first() -> None:
    """Have the kernel end this process before any other when the machine runs out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def bound_memory(available_bytes: int) -> None:
    """Let this process allocate only a share of what is available on the machine now.

    An allocation beyond that fails, which ONNX Runtime and Python report. Where several
    processes take their shares at once, the machine can run short all the same.
    """
    used_bytes = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[5])
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used_bytes + int(available_bytes * _SHARE), hard))
