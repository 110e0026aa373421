"""Examining hosts: what is asked how, who is compared, and what is said of who cannot be."""

import pytest

from farm.inventory import FarmSettings, Host
from playbooks.commands import Result
from playbooks.doctor.examination import Examination
from playbooks.doctor.table import EVERYTHING
from playbooks.findings import Finding, Severity
from playbooks.runner import Runner
from playbooks.transport import (
    CommandFailedError,
    HostDeniedError,
    HostError,
    HostKeyError,
    HostUnreachableError,
)
from tests.unit.playbooks.hosts import host
from tests.unit.playbooks.shelf_texts import ASKED, NOW_S, sound_pi
from tests.unit.playbooks.spoken_hosts import SpokenHost


def spoken(number: int = 1, **texts: str | Result) -> SpokenHost:
    return SpokenHost(sound_pi(number) | texts, facts=ASKED)


def examined(
    *transports: SpokenHost, sudo_password: bool = False, all_of_them: bool = False
) -> list[list[Finding]]:
    """The findings of hosts pi-1, pi-2, … at 198.18.0.1, ….2, …; all, or those that are not ok."""
    by_name = {f"pi-{number}": each for number, each in enumerate(transports, start=1)}
    hosts = [host(name, address=f"198.18.0.{name[3:]}") for name in by_name]

    def connect(one: Host) -> SpokenHost:
        return by_name[one.name]

    runner = Runner(hosts, connect=connect)
    examination = Examination(
        farm=FarmSettings(name="shelf"),
        checks=EVERYTHING,
        sudo_password=sudo_password,
        now=lambda: NOW_S,
    )
    found = examination.examine(runner)
    assert list(found) == list(by_name)
    return [
        [f for f in of_host if all_of_them or f.severity is not Severity.OK]
        for of_host in found.values()
    ]


def errors_of(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.check, f.meaning) for f in findings if f.severity is Severity.ERROR]


def test_sound_hosts_have_no_errors() -> None:
    for found in examined(spoken(1), spoken(2)):
        assert {finding.severity for finding in found} == {Severity.INFO}


def test_the_worst_comes_first() -> None:
    (found,) = examined(spoken(1, firmware="85000\n", **{"own name": "name=pi-1\n"}))
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=lambda s: s.rank)
    assert found[0].check == "own name"


def test_root_is_asked_only_where_the_user_may_become_it() -> None:
    free, asks = spoken(1), spoken(2, sudo="asks\n")
    examined(free, asks)
    assert ("listeners", True) in free.asked
    assert not any(as_root for _, as_root in asks.asked)
    assert ("sudo", False) in asks.asked
    with_password = spoken(1, sudo="asks\n")
    examined(with_password, sudo_password=True)
    assert ("listeners", True) in with_password.asked


@pytest.mark.parametrize(
    ("failure", "check"),
    [
        (HostUnreachableError("pi-1: 198.18.0.1:22 does not answer", fix="ping it"), "reachable"),
        (HostKeyError("pi-1: the key has changed", fix="look"), "host key"),
        (HostDeniedError("pi-1: refuses the login", fix="ssh-copy-id"), "login"),
        (CommandFailedError("pi-1: was cut after 120 s", fix="see why"), "answers"),
    ],
)
def test_who_cannot_be_asked_is_a_finding_and_the_others_go_on(
    failure: HostError, check: str
) -> None:
    silent, well = examined(SpokenHost(facts=ASKED, fails=failure), spoken(2))
    (found,) = silent
    assert (found.host, found.check, found.severity) == ("pi-1", check, Severity.ERROR)
    assert found.meaning == failure.message.removeprefix("pi-1: ")
    assert found.fix == failure.fix
    assert errors_of(well) == []


def test_what_was_told_before_a_refusal_is_judged() -> None:
    refused = HostDeniedError("pi-1: sudo refuses the password of pi", fix="give the right one")
    transport = SpokenHost(
        sound_pi() | {"sudo": "asks\n", "own name": "name=pi-1\n"},
        facts=ASKED,
        fails=refused,
        fails_as_root=True,
    )
    (found,) = examined(transport, sudo_password=True, all_of_them=True)
    assert [f.severity for f in found if f.check == "sudo"] == [Severity.ERROR]
    assert errors_of(found)[0] == ("sudo", "sudo refuses the password of pi")
    assert errors_of(found)[1][0] == "own name"
    assert "it takes root" in next(f.meaning for f in found if f.check == "ports")


def test_a_connection_lost_halfway_is_said() -> None:
    lost = HostUnreachableError("pi-1: the connection was lost", fix="run this again")
    transport = SpokenHost(sound_pi(), facts=ASKED, fails=lost, fails_as_root=True)
    (found,) = examined(transport)
    assert errors_of(found) == [("answers", "the connection was lost")]


def test_a_clock_in_1970_is_an_error() -> None:
    (found,) = examined(spoken(1, clock="1000.000000000\n"))
    assert errors_of(found)[0][0] == "clock"
    assert "1970-01-01" in found[0].meaning


def test_pythons_must_be_of_one_minor_version() -> None:
    other = spoken(3, python="version=3.13.5\npath=/usr/bin/python3\n")
    one, two, three = examined(spoken(1), spoken(2), other)
    assert errors_of(one) == errors_of(two) == []
    ((check, meaning),) = errors_of(three)
    assert check == "python equal"
    assert meaning.startswith("it has Python 3.13, 2 other hosts have 3.11")


def test_patch_levels_may_differ() -> None:
    one, two = examined(spoken(1), spoken(2, python="version=3.11.9\npath=/usr/bin/python3\n"))
    for found in (one, two):
        (told,) = (f for f in found if f.check == "python equal")
        assert told.severity is Severity.INFO
        assert told.meaning.startswith("Python 3.11.2 on 1, 3.11.9 on 1 of 2 hosts")


def test_copies_of_a_card_and_entries_of_one_machine_are_told_apart() -> None:
    original = sound_pi(1)["machine"]
    assert isinstance(original, str)
    copy = original.replace("boot=00000001", "boot=00000002")
    same, copied, other = examined(spoken(1), spoken(2, machine=copy), spoken(3))
    assert [f.check for f in copied if f.severity is Severity.WARNING] == ["own host key"]
    assert "own machine id" in {f.check for f in copied if f.severity is Severity.INFO}
    assert "pi-1" in next(f.meaning for f in copied if f.check == "own host key")
    assert errors_of(same) == errors_of(other) == []
    twice, _ = examined(spoken(1), spoken(2, machine=original))
    assert errors_of(twice)[0][0] == "own machine"
