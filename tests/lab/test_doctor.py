"""`farm doctor` over a shelf on which all but one host have something wrong with them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from lab import Host, Lab
from operator_machine import Operator

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

# Keeps a port of the farm, as another service of the host would.
SQUATTER = "import socket, time; s = socket.create_server(('', 6405)); time.sleep(3600)"


def squat(host: Host) -> None:
    host.shell(f'systemd-run --quiet python3 -c "{SQUATTER}"')


# What is done to a host, by its name; then the check, its severity and words of its meaning.
FAULTS: Mapping[str, tuple[Callable[[Host], object], str, str, str]] = {
    "weak": (lambda h: h.firmware(throttled="0x50005"), "supply", "warning", "too weak right now"),
    "hot": (lambda h: h.firmware(temp="83.1"), "temperature", "warning", "83 °C"),
    "unnamed": (Host.rename_unresolvable, "own name", "error", "cannot resolve its own name"),
    "past": (Host.set_clock_1970, "clock", "error", "1970-01-01"),
    "narrow": (Host.pretend_32_bit, "word size", "error", "32-bit"),
    "old": (Host.pretend_python, "python", "error", "is Python 3.9.2"),
    "full": (lambda h: h.fill_disk(50_000_000), "disk space", "error", "to be installed"),
    "squatted": (squat, "ports", "error", "6405, of Ray's cluster a, is taken by python3"),
    "gone": (Host.unplug, "reachable", "error", "does not answer"),
    "other": (Host.new_host_keys, "host key", "error", "has changed"),
    "locked": (Host.refuse_key, "login", "error", "refuses the login"),
}

Shelf = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def told(lab: Lab) -> Shelf:
    """What the doctor says of each host."""
    operator = Operator.of(lab)
    sound = lab.host("sound", memory_mb=1024)
    hosts = {name: lab.host(name, memory_mb=512) for name in FAULTS}
    hosts["barred"] = lab.host("barred", memory_mb=512, sudo="refused")
    inventory = lab.write_inventory(head=sound, nodes=list(hosts.values()))
    operator.trust(inventory)
    for name, (harm, *_) in FAULTS.items():
        harm(hosts[name])
    ended = operator.farm("doctor", "-i", inventory, "--output", "json", timeout_s=120)
    assert ended.exit_code == 3, ended.said
    return {host["host"]: host for host in ended.document["hosts"]}


def test_the_sound_host_has_no_error(told: Shelf) -> None:
    assert told["sound"]["severity"] != "error"
    checks = {f["check"] for f in told["sound"]["findings"] if f["severity"] == "ok"}
    assert {"sudo", "ports", "link", "supply", "disk speed", "own name"} <= checks


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said_with_its_fix(told: Shelf, name: str) -> None:
    _, check, severity, words = FAULTS[name]
    (found,) = (f for f in told[name]["findings"] if f["check"] == check)
    assert found["severity"] == severity
    assert words in found["meaning"]
    assert found["fix"]


def test_one_that_sudo_does_not_let_in(told: Shelf) -> None:
    (worst, *_) = told["barred"]["findings"]
    assert (worst["check"], worst["severity"]) == ("sudo", "error")


def test_one_fault_is_not_taken_for_another(told: Shelf) -> None:
    for name, (_, check, severity, _) in FAULTS.items():
        errors = {f["check"] for f in told[name]["findings"] if f["severity"] == "error"}
        # An old Python is also another one than the others'.
        assert errors - {"python equal"} == ({check} if severity == "error" else set())
