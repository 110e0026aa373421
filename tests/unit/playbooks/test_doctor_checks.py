"""Each check: a sound host has nothing to mend, and what is wrong is said with its fix."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from farm.core.identities import Identity, IdentityKind
from farm.inventory import FarmSettings, Role
from farm.pki import Authority
from playbooks.commands import Result
from playbooks.doctor.check import Subject
from playbooks.doctor.table import EVERYTHING, FITNESS
from playbooks.facts.base import Facts
from playbooks.facts.clock import Clock
from playbooks.findings import Finding, Severity
from tests.unit.playbooks.hosts import host
from tests.unit.playbooks.shelf_texts import ASKED, NOW_S, farmed_pi, named, recorded, sound_pi

NOW = datetime.fromtimestamp(NOW_S, tz=UTC)
RIGHT = Clock(time_s=NOW_S, ahead_s=0.1, uncertainty_s=0.1)

Texts = Mapping[str, str | Result]


def certificate(days: int) -> str:
    """A host's certificate that ends so many days from now."""
    authority = Authority.create("shelf", now=NOW)
    made = NOW + timedelta(days=days - 365)
    return authority.issue(
        Identity("shelf", IdentityKind.NODE, "pi-1"), now=made, addresses=["198.18.0.1"]
    ).certificate_pem.decode()


CERTIFICATE = named("text")


def judged(
    texts: Texts,
    *,
    clock: Clock = RIGHT,
    role: Role = Role.NODE,
    root: bool = True,
    sudo_password: bool = False,
    firewall: bool = True,
) -> list[Finding]:
    """What all checks say of the host that answers so."""
    told = {
        name: Result(stdout=text) if isinstance(text, str) else text for name, text in texts.items()
    }
    known = {
        name: fact.parse(told.get(name, Result(exit_code=127)))
        for name, fact in ASKED.items()
        if root or not fact.sudo
    }
    subject = Subject(
        host=host("pi-1", address="198.18.0.1", role=role),
        farm=FarmSettings(name="shelf", firewall=firewall),
        facts=Facts(known),
        clock=clock,
        now=NOW,
        sudo_password=sudo_password,
    )
    return [finding for check in EVERYTHING for finding in check.findings(subject)]


def test_a_sound_pi_needs_nothing() -> None:
    found = judged(sound_pi())
    assert {finding.check for finding in found} == {check.name for check in EVERYTHING}
    bad = [f for f in found if f.severity is not Severity.OK]
    assert {(f.check, f.meaning.split(":")[0]) for f in bad} == {
        ("release", "the farm is not installed there yet"),
        ("services", "the farm is not installed there yet"),
        ("firewall", "the farm is not installed there yet"),
        ("certificate", "the farm is not installed there yet"),
        ("runtime", "not tried"),
    }


def test_a_sound_node_needs_nothing() -> None:
    found = judged(farmed_pi() | {CERTIFICATE: certificate(300)})
    assert [f for f in found if f.severity is not Severity.OK] == []


def test_a_host_that_says_nothing_breaks_no_check() -> None:
    found = judged({})
    assert {finding.check for finding in found} == {check.name for check in EVERYTHING}


E, W, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
PLATFORM = recorded("platform-pi-os-12").replace("page=16384", "page=4096")
HEAD_UNITS = "Id=farm-head@a.service\nLoadState=loaded\nActiveState=active\nNRestarts=0\n"


def units(**fields: str) -> str:
    """The units of a node whose service has these properties."""
    own = {"LoadState": "loaded", "ActiveState": "active", "NRestarts": "0"} | fields
    node = "".join(f"{key}={value}\n" for key, value in own.items())
    texts = farmed_pi()[named("units")]
    assert isinstance(texts, str)
    return texts.replace(texts.split("\n\n")[0], f"Id=farm-node.service\n{node}")


# What a host says instead of what a sound one says, and the finding that must come of it.
CASES: dict[str, tuple[Texts, str, Severity, str]] = {
    "32-bit system": ({"platform": recorded("platform-pi-os-32-bit")}, "word size", E, "32-bit"),
    "no wheels for it": (
        {"platform": PLATFORM.replace("aarch64", "riscv64")}, "word size", E, "riscv64",
    ),
    "no systemd": ({"platform": recorded("platform-alpine")}, "system", E, "systemd"),
    "no dpkg": (
        {"platform": PLATFORM.replace("architecture=arm64", "architecture=")}, "system", W, "dpkg",
    ),
    "old glibc": (
        {"platform": PLATFORM.replace("glibc 2.36", "glibc 2.24")}, "glibc", E, "2.28",
    ),
    "pages of a Pi 5": ({"platform": recorded("platform-pi-os-12")}, "page size", INFO, "16 KiB"),
    "huge pages": (
        {"platform": PLATFORM.replace("page=4096", "page=131072")}, "page size", E, "128 KiB",
    ),
    "no Pi": ({"board": Result(exit_code=1)}, "board", INFO, "no Raspberry Pi"),
    "little memory": (
        {"memory": "MemTotal=427024 kB\nlegacy=memory 0 1 1\n"}, "memory", W, "437 MB",
    ),
    "hardly any memory": ({"memory": "MemTotal=240000 kB\n"}, "memory", E, "nothing for a model"),
    "no memory cgroup": ({"memory": recorded("memory-pi4")}, "memory bounds", W, "MemoryMax"),
    "no Python": ({"python": Result(exit_code=127)}, "python", E, "3.11 or newer"),
    "old Python": (
        {"python": "version=3.9.2\npath=/usr/local/bin/python3\n"},
        "python", E, "/usr/local/bin/python3 is Python 3.9.2",
    ),
    "no nftables": (
        {named("packages"): recorded("packages")}, "packages", INFO, "nftables, the firewall",
    ),
    "full disk": (
        {"space": "/opt 30358148 219136 /\n"}, "disk space", E, "224 MB of 31.1 GB free on /",
    ),
    "little room": ({"space": "/opt 30358148 1400000 /\n"}, "disk space", W, "upgrade"),
    "card gone read-only": ({"mounts": recorded("mounts")}, "disk writable", E, "read-only"),
    "slow card": (
        {"write speed": Result(stderr="8388608 bytes (8.4 MB) copied, 4.2 s, 2.0 MB/s\n")},
        "disk speed", W, "2.0 MB/s",
    ),
    "write speed not measured": ({"write speed": Result(exit_code=124)}, "disk speed", INFO, "not"),
    "no time server": (
        {"time sync": recorded("time-sync-none")}, "clock", W, "follows no time server",
    ),
    "unresolvable own name": (
        {"own name": recorded("own-name-unknown")}, "own name", E, "cannot resolve its own name",
    ),
    "slowly resolved": (
        {"own name": recorded("own-name").replace("2103441", "4103000000")}, "own name", W, "4.1 s",
    ),
    "another address": (
        {"network": recorded("network-pi")}, "address", E, "198.18.0.1 of the inventory is no",
    ),
    "Wi-Fi": (
        {"network": recorded("network-pi").replace("198.18.1.11/24", "198.18.0.1/24")
         .replace("198.18.0.2 51514 198.18.0.11", "198.18.0.2 51514 198.18.0.1")},
        "link", W, "Wi-Fi (wlan0)",
    ),
    "slow link": (
        {"network": recorded("network-pi").replace(".0.11", ".0.1").replace("d 100", "d 10")},
        "link", W, "10 Mbit/s",
    ),
    "bad cable": (
        {"network": recorded("network-pi").replace(".0.11", ".0.1")}, "link", INFO, "can do 1000",
    ),
    "a port taken": (
        {"listeners": recorded("listeners")}, "ports", E, "6400, of Ray's cluster a, is taken by"
        " gcs_server (process 1814)",
    ),
    "nobody can tell who listens": ({"listeners": Result(exit_code=127)}, "ports", INFO, "listens"),
    "weak supply now": ({"firmware": recorded("firmware-pi4")}, "supply", W, "right now"),
    "weak supply before": (
        {"firmware": recorded("firmware-pi4").replace("0x50005", "0x10000")}, "supply", W, "once",
    ),
    "throttled now": (
        {"firmware": recorded("firmware-pi4")}, "throttling", W, "throttled right now (600 MHz)",
    ),
    "throttled before": (
        {"firmware": recorded("firmware-pi4").replace("0x50005", "0xe0000")},
        "throttling", W, "was its clock capped and throttled and at its soft limit",
    ),
    "hot": (
        {"firmware": recorded("firmware-pi4").replace("59.3", "83.1")}, "temperature", W, "83 °C",
    ),
    "warm": (
        {"firmware": recorded("firmware-pi4").replace("59.3", "71.1")},
        "temperature", INFO, "71 °C",
    ),
    "user not in group video": (
        {"firmware": recorded("firmware-denied")}, "supply", INFO, "vcgencmd gives no answer",
    ),
    "no sudo": ({"sudo": "absent"}, "sudo", E, "there is no sudo"),
    "sudo asks": ({"sudo": "asks"}, "sudo", E, "asks pi for a password"),
}  # fmt: skip

# The same of hosts that have the farm.
FARM_CASES: dict[str, tuple[Texts, str, Severity, str]] = {
    "half a release": (
        {"installation": recorded("installation")}, "release", W, "1.1-8c9d0e1f was not installed",
    ),
    "a release that is gone": (
        {"installation": "link node /opt/farm/releases/1.0-b\n"}, "release", E, "which is gone",
    ),
    "a unit that is missing": (
        {named("units"): units(LoadState="not-found", ActiveState="inactive")},
        "services", E, "there is no farm-node.service",
    ),
    "a unit that failed": (
        {named("units"): units(ActiveState="failed", Result="watchdog", StatusText="no head")},
        "services", E, "farm-node.service is failed (watchdog) and says: no head",
    ),
    "a unit that restarts": ({named("units"): units(NRestarts="7")}, "services", W, "7 times"),
    "rules that were flushed": (
        {"firewall": Result(stderr="Error: No such file or directory\n", exit_code=1)},
        "firewall", E, "not in force",
    ),
    "no nft": ({"firewall": Result(exit_code=127)}, "firewall", INFO, "does not tell"),
    "a certificate that ended": (
        {CERTIFICATE: certificate(-1)}, "certificate", E, "ended on 2027-01-14",
    ),
    "a certificate about to end": (
        {CERTIFICATE: certificate(12)}, "certificate", W, "in 12 days",
    ),
    "no certificate": ({CERTIFICATE: "-----BEGIN"}, "certificate", E, "is no certificate"),
    "a wheel for another CPU": (
        {"runtime": Result(stderr="Illegal instruction\n", exit_code=132)},
        "runtime", E, "does not do its work there: illegal instruction",
    ),
    "a runtime that answers wrongly": (
        {"runtime": Result(stdout='{"onnxruntime": "1.27.0", "error": "differs"}', exit_code=1)},
        "runtime", E, "ONNX Runtime 1.27.0 does not do its work there: differs",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("base", "case"),
    [
        *(pytest.param(sound_pi(), case, id=name) for name, case in CASES.items()),
        *(pytest.param(farmed_pi(), case, id=name) for name, case in FARM_CASES.items()),
    ],
)
def test_what_is_wrong_is_found(base: Texts, case: tuple[Texts, str, Severity, str]) -> None:
    texts, check, severity, words = case
    sound = {CERTIFICATE: certificate(300)} if base != sound_pi() else {}
    found = [finding for finding in judged({**base, **sound, **texts}) if finding.check == check]
    worst = min(found, key=lambda finding: finding.severity.rank)
    assert worst.severity is severity, found
    assert words in worst.meaning
    if severity in (E, W):
        assert worst.fix
    assert worst.host == "pi-1"


@pytest.mark.parametrize(
    ("clock", "severity", "words"),
    [
        (RIGHT, Severity.OK, "within 0.2 s"),
        (Clock(time_s=NOW_S + 3, ahead_s=3.0, uncertainty_s=0.5), W, "3.0 s ahead"),
        (Clock(time_s=NOW_S + 3, ahead_s=3.0, uncertainty_s=1.5), Severity.OK, "within 4.5 s"),
        (Clock(time_s=NOW_S - 9000, ahead_s=-9000.0), E, "2.5 h behind"),
        (Clock(time_s=1000.0, ahead_s=1000.0 - NOW_S), E, "1970-01-01 00:16:40 UTC, 20833 days"),
        (Clock(time_s=9e11, ahead_s=9e11 - NOW_S), E, "days ahead"),
        (Clock(), INFO, "does not tell"),
    ],
)
def test_clocks(clock: Clock, severity: Severity, words: str) -> None:
    (found,) = (f for f in judged(sound_pi(), clock=clock) if f.check == "clock")
    assert found.severity is severity
    assert words in found.meaning


def test_a_head_needs_the_gateway_s_ports_and_services() -> None:
    found = judged(
        sound_pi() | {"listeners": recorded("listeners").splitlines()[3] + "\n"}, role=Role.HEAD
    )
    (taken,) = (f for f in found if f.check == "ports")
    assert "port 8001, the gateway's for gRPC, is taken by something" in taken.meaning
    farmed = farmed_pi() | {named("units"): HEAD_UNITS}
    meanings = [f.meaning for f in judged(farmed, role=Role.BOTH) if f.check == "services"]
    assert "farm-head@a.service runs" in meanings
    assert "there is no farm-gateway@a.service or farm-gateway@b.service" in meanings


def test_of_two_instances_the_one_that_starts_at_a_boot_is_told_of() -> None:
    """After an upgrade that is `b`; that `a` does not run is as it should be then."""
    states = {
        "farm-head@a": "UnitFileState=disabled\nActiveState=inactive\nStatusText=",
        "farm-head@b": "UnitFileState=enabled\nActiveState=activating\nStatusText=no clock",
    }
    told = "\n\n".join(
        f"Id={name}.service\nLoadState=loaded\n{state}\n" for name, state in states.items()
    )
    farmed = farmed_pi() | {named("units"): told}
    meanings = [f.meaning for f in judged(farmed, role=Role.BOTH) if f.check == "services"]
    assert "farm-head@b.service is activating and says: no clock" in meanings
    assert not any("farm-head@a" in meaning for meaning in meanings)


def test_a_firewall_that_is_not_wanted_is_not_missed() -> None:
    without = units().replace("farm-firewall", "another")
    no_table = Result(stderr="Error: No such file or directory\n", exit_code=1)
    texts = farmed_pi() | {named("units"): without, "firewall": no_table}
    for firewall in (True, False):
        found = judged(texts, firewall=firewall)
        checks = {f.check for f in found if f.severity is E and "firewall" in f.meaning}
        assert checks == ({"services", "firewall"} if firewall else set())


def test_a_password_for_sudo_is_good_enough() -> None:
    (sudo,) = (
        f for f in judged(sound_pi() | {"sudo": "asks"}, sudo_password=True) if f.check == "sudo"
    )
    assert sudo.severity is Severity.OK


def test_without_root_what_only_root_sees_is_left_open() -> None:
    unseen = [f for f in judged(sound_pi(), root=False) if "it takes root" in f.meaning]
    assert {f.check for f in unseen} == {"ports", "firewall", "certificate"}


def test_a_bootstrap_is_not_held_up_by_what_it_mends() -> None:
    assert {"release", "services", "certificate", "runtime"}.isdisjoint(c.name for c in FITNESS)


def test_every_check_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text()
    named_there = set(re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE))
    between_hosts = {"python equal", "own machine", "own host key", "own machine id"}
    not_asked = {"reachable", "host key", "login", "answers"}
    assert named_there == {check.name for check in EVERYTHING} | between_hosts | not_asked
