"""Which cores inference keeps to."""

import os
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.node.affinity import Affinity, share_out, usable_cores


@given(st.sets(st.integers(0, 63), max_size=16), st.integers(1, 6), st.integers(1, 6))
def test_every_node_has_cores_of_its_own_and_one_is_left_or_nobody_has_any(
    cores: set[int], nodes: int, threads: int
) -> None:
    shares = share_out(cores, nodes=nodes, threads=threads)
    assert len(shares) == nodes
    given_away = [core for share in shares for core in share]
    if nodes * threads < len(cores):
        assert {len(share) for share in shares} == {threads}
        assert len(set(given_away)) == nodes * threads
        assert set(given_away) < cores
    else:
        assert not given_away


def test_a_board_of_which_every_core_infers_keeps_none_apart() -> None:
    assert share_out(range(4), nodes=1, threads=4) == [()]
    assert share_out(range(4), nodes=1, threads=3) == [(3, 2, 1)]
    assert share_out(range(4), nodes=2, threads=1) == [(3,), (2,)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot keep threads")
def test_only_the_threads_that_ask_are_kept() -> None:
    everywhere = usable_cores()
    core = max(everywhere)
    affinity = Affinity([core])
    seen: list[frozenset[int]] = []

    def infer() -> None:
        for _ in range(2):
            affinity.apply()
        seen.append(usable_cores())

    thread = Thread(target=infer)
    thread.start()
    thread.join()
    assert seen == [frozenset({core})]
    assert usable_cores() == everywhere


def test_cores_that_are_not_there_are_not_insisted_on() -> None:
    everywhere = usable_cores()
    Affinity([4_000]).apply()
    Affinity([]).apply()
    assert usable_cores() == everywhere
