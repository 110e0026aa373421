"""Facts of hosts that say nothing, or nonsense: not known, and never an exception."""

from pathlib import Path
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.board import BOARD
from playbooks.facts.clock import TIME_SYNC, clock
from playbooks.facts.cpu import CPU
from playbooks.facts.disk import SPACE, WRITE_SPEED
from playbooks.facts.files import file_state, file_states, file_text, tree
from playbooks.facts.firewall import FIREWALL
from playbooks.facts.firmware import FIRMWARE
from playbooks.facts.installation import INSTALLATION
from playbooks.facts.listeners import LISTENERS
from playbooks.facts.machine import MACHINE
from playbooks.facts.memory import MEMORY, Memory
from playbooks.facts.mounts import MOUNTS
from playbooks.facts.network import NETWORK
from playbooks.facts.own_name import OWN_NAME
from playbooks.facts.packages import packages
from playbooks.facts.platform import PLATFORM, Platform
from playbooks.facts.python import PYTHON, Python
from playbooks.facts.runtime import RUNTIME
from playbooks.facts.services import service_state
from playbooks.facts.sudo import SUDO
from playbooks.facts.units import unit_state, unit_states
from playbooks.facts.users import user
from playbooks.services import node

RECORDED = Path(__file__).with_name("recorded")

NOTHING = Result(exit_code=-1)
ALL: list[Fact[Any]] = [
    BOARD, CPU, FIREWALL, FIRMWARE, INSTALLATION, LISTENERS, MACHINE, MEMORY, MOUNTS, NETWORK,
    OWN_NAME, PLATFORM, PYTHON, RUNTIME, SPACE, SUDO, TIME_SYNC, WRITE_SPEED, clock(lambda: 0.0),
    file_state("/a"), file_states("/a", "/b"), file_text("/a"), packages(["a"]),
    service_state(node()), tree("/a", depth=2), unit_state("a.service"), unit_states("a.service"),
    user("a"),
]  # fmt: skip


def test_a_host_that_says_nothing_is_not_known() -> None:
    assert PLATFORM.parse(NOTHING) == Platform()
    assert PYTHON.parse(NOTHING) == Python()
    assert MEMORY.parse(NOTHING) == Memory()
    assert LISTENERS.parse(NOTHING) is None
    assert WRITE_SPEED.parse(NOTHING) is None
    assert file_text("/a").parse(NOTHING) is None
    assert user("a").parse(NOTHING) is None


# Lines made of what parsers look for, so that more than the first condition is tried.
WORDS = st.sampled_from(
    [p.read_text() for p in sorted(RECORDED.iterdir())]
    + ["=", "\0", "\n\n", " ", "9" * 5000, "²", "at f 777", "Id=", "{", '{"onnxruntime": 1}', "-"]
)
GARBAGE = st.lists(st.one_of(st.text(max_size=40), WORDS), max_size=8).map("".join)


@given(stdout=GARBAGE, stderr=GARBAGE, exit_code=st.integers(-1, 255))
def test_no_parser_raises_on_garbage(stdout: str, stderr: str, exit_code: int) -> None:
    for fact in ALL:
        note(fact.name)
        fact.parse(Result(stdout=stdout, stderr=stderr, exit_code=exit_code))
