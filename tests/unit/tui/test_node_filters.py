"""Which nodes an operator wants to see."""

import pytest
from farm_readings import node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import EnergySource
from farm.core.nodes import NodeState
from tui.readings.node_filters import parsed
from tui.readings.reading import Reader

READING = Reader().read(
    snapshot(
        nodes=(
            node("pi-1", cpu_fraction=0.9, temperature_c=71.0, watts=6.5),
            node("pi-2", state=NodeState.LOST, reason="Silent for 10 s", temperature_c=None),
            node("pi-10", throttle_flags=1, source=EnergySource.MEASURED, watts=3.0),
        )
    )
)


def seen(text: str) -> list[str]:
    wanted = parsed(text)
    assert not wanted.problem
    return [name for name, reading in READING.nodes.items() if wanted.takes(reading)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["pi-1", "pi-2", "pi-10"]),
        ("pi-1", ["pi-1", "pi-10"]),
        ("PI-10", ["pi-10"]),
        ("silent", ["pi-2"]),
        ("state:lost", ["pi-2"]),
        ("st=lost", ["pi-2"]),
        ("!state:lost", ["pi-1", "pi-10"]),
        ("board:pi5", ["pi-1", "pi-2", "pi-10"]),
        ("load>80", ["pi-1"]),
        ("load>80%", ["pi-1"]),
        ("temp>=55°C temp<71", ["pi-10"]),
        ("!temp>70", ["pi-2", "pi-10"]),
        ("w<5", ["pi-2", "pi-10"]),
        ("watts:measured", ["pi-10"]),
        ("under-voltage", ["pi-10"]),
        ("ready load<50", ["pi-10"]),
        ("mem>24 mem<26", ["pi-1", "pi-2", "pi-10"]),
        ("why:silent", ["pi-2"]),
        ("b:pi5 w>5", ["pi-1"]),
        ("under_voltage:", []),
        ("host:8001", []),
        ("!!pi-10", ["pi-10"]),
        ("mars", []),
    ],
)
def test_terms(text: str, names: list[str]) -> None:
    assert seen(text) == names


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("load>", "load>: a number belongs there, as in load>5"),
        ("temp>warm", "temp>warm: a number belongs there, as in temp>5"),
        ("load:80", "load:80: load is a number; say load>5 or load<5"),
        ("state>3", "state>3: state is no number; say state:..."),
        ("r>1", "r: which of requests, rows"),
        ("!", "!: what is not wanted follows it, as in !lost"),
    ],
)
def test_a_wrong_term_is_told_and_the_others_count(text: str, problem: str) -> None:
    wanted = parsed(f"pi-10 {text}")
    assert wanted.problem == problem
    assert [name for name, each in READING.nodes.items() if wanted.takes(each)] == ["pi-10"]


@pytest.mark.parametrize("text", ["volts>5", "volts:high", "VOLTS=high"])
def test_an_unknown_part_is_told_with_those_there_are(text: str) -> None:
    assert "no such part; there are node, board, state, load" in parsed(text).problem


PIECES = st.sampled_from(["!", "load", ">", "<=", ":", "=", "1e9", "NaN", "80%", "state", " ", "["])


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_whatever_is_typed_is_understood_or_told(text: str) -> None:
    wanted = parsed(text)
    for reading in READING.nodes.values():
        assert wanted.takes(reading) in (True, False)
