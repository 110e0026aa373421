"""Hosts that cannot serve, all on one shelf: each is told what is wrong, the others go on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import Host, Lab
from operator_machine import Ended, Operator

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a host before anything is done, and words of what an operator is told.

    `check` is the doctor's that finds it.
    """

    arrange: Callable[[Host], None]
    check: str
    meaning: str
    fix: str


FAULTS: Mapping[str, Fault] = {
    "off": Fault(
        arrange=Host.stop,
        check="reachable",
        meaning="does not answer",
        fix="is it switched on, cabled, and at this address?",
    ),
    "stranger": Fault(
        arrange=Host.refuse_key,
        check="login",
        meaning="refuses the login",
        fix="ssh-copy-id",
    ),
    "replaced": Fault(
        arrange=Host.new_host_keys,
        check="host key",
        meaning="has changed",
        fix="farm hosts trust --limit replaced --replace",
    ),
    "narrow": Fault(
        arrange=Host.pretend_32_bit,
        check="word size",
        meaning="32-bit",
        fix="64-bit Raspberry Pi OS",
    ),
    "full": Fault(
        arrange=lambda host: host.fill_disk(100 << 20),
        check="disk space",
        meaning="the farm needs 1.0 GB to be installed",
        fix="sudo du -xh",
    ),
    "outdated": Fault(
        arrange=lambda host: host.pretend_python("3.9.2"),
        check="python",
        meaning="is Python 3.9.2: the farm needs Python 3.11",
        fix="upgrade to Debian 12",
    ),
    "powerless": Fault(
        arrange=lambda host: None,
        check="sudo",
        meaning="sudo asks pi for a password",
        fix="--ask-sudo-password",
    ),
    "past": Fault(
        arrange=Host.set_clock_1970,
        check="clock",
        meaning="its clock says 1970-01-01",
        fix="follows a time server",
    ),
    "nameless": Fault(
        arrange=Host.rename_unresolvable,
        check="own name",
        meaning="cannot resolve its own name, renamed",
        fix="echo '127.0.1.1 renamed' | sudo tee -a /etc/hosts",
    ),
}
# What pip's command line looks like while it installs on a host.
INSTALLING = r"pip --isolated .* install"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """A shelf of which two hosts are sound until the end, and what commands said of it.

    `dropped` and `overflown` go wrong only while they install.
    """

    operator: Operator
    inventory: Path
    head: Host
    good: Host
    dropped: Host
    overflown: Host
    faulty: Sequence[Host]
    examined: Ended
    bootstrapped: Ended

    @property
    def bad(self) -> Sequence[Host]:
        return (*self.faulty, self.dropped, self.overflown)


@pytest.fixture(scope="module")
def spoilt(lab: Lab) -> Iterator[Spoilt]:
    operator = Operator.of(lab)
    names = ("head", "good", "dropped", "overflown", *FAULTS)

    def boot(name: str) -> Host:
        sudo = "refused" if name == "powerless" else "nopasswd"
        return lab.host(name, memory_mb=2048, sudo=sudo)

    with ThreadPoolExecutor(4) as pool:
        hosts = dict(zip(names, pool.map(boot, names), strict=True))
    inventory = lab.write_inventory(
        head=hosts["head"], nodes=[hosts[name] for name in names if name != "head"]
    )
    operator.trust(inventory)
    for name, fault in FAULTS.items():
        fault.arrange(hosts[name])
    examined = operator.farm("doctor", "-i", inventory, "--output", "json")
    yield Spoilt(
        operator=operator,
        inventory=inventory,
        head=hosts["head"],
        good=hosts["good"],
        dropped=hosts["dropped"],
        overflown=hosts["overflown"],
        faulty=[hosts[name] for name in FAULTS],
        examined=examined,
        bootstrapped=_bootstrap_with_accidents(operator, inventory, hosts),
    )


def _bootstrap_with_accidents(
    operator: Operator, inventory: Path, hosts: Mapping[str, Host]
) -> Ended:
    """Cut one host off while it installs, and let another one run out of space."""

    def happen(name: str, accident: Callable[[Host], None]) -> None:
        hosts[name].await_process(INSTALLING, timeout_s=600)
        accident(hosts[name])

    with ThreadPoolExecutor(2) as pool:
        accidents = [
            pool.submit(happen, "dropped", Host.drop_connections),
            pool.submit(happen, "overflown", lambda host: host.fill_disk(30 << 20)),
        ]
        ended = operator.bootstrap(inventory)
        for accident in accidents:
            accident.result()
    return ended


@pytest.mark.parametrize("name", FAULTS)
def test_the_doctor_finds_it(spoilt: Spoilt, name: str) -> None:
    report = {host["host"]: host for host in spoilt.examined.document["hosts"]}[name]
    fault = FAULTS[name]
    errors = [found for found in report["findings"] if found["severity"] == "error"]
    found = {error["check"]: error for error in errors}[fault.check]
    assert fault.meaning in found["meaning"]
    assert fault.fix in found["fix"]


def test_the_doctor_finds_nothing_else(spoilt: Spoilt) -> None:
    assert spoilt.examined.exit_code == 3, spoilt.examined.said
    sick = {host["host"] for host in spoilt.examined.document["hosts"]
            if host["severity"] == "error"}  # fmt: skip
    assert sick == set(FAULTS)


@pytest.mark.parametrize(
    ("name", "exit_code"), [("off", 4), ("stranger", 5), ("replaced", 6), ("full", 1)]
)
def test_exit_codes_tell_why_none_can_serve(spoilt: Spoilt, name: str, exit_code: int) -> None:
    alone = spoilt.operator.farm("doctor", "-i", spoilt.inventory, "--limit", name)
    assert alone.exit_code == exit_code, alone.said


def test_a_password_does_not_make_an_administrator(spoilt: Spoilt) -> None:
    (powerless,) = (host for host in spoilt.faulty if host.name == "powerless")
    examined = spoilt.operator.farm_at_terminal(
        powerless.sudo_password,
        *("doctor", "-i", spoilt.inventory, "--limit", powerless.name, "--output", "json"),
        "--ask-sudo-password",
    )
    assert examined.exit_code == 5, examined.said
    assert "pi may not use sudo" in examined.stdout
    assert "usermod -aG sudo pi" in examined.stdout
    assert powerless.sudo_password not in examined.said


def test_a_changed_key_takes_an_operator_who_means_it(spoilt: Spoilt) -> None:
    trust = ("hosts", "trust", "-i", spoilt.inventory, "--limit", "replaced", "--yes")
    refused = spoilt.operator.farm(*trust)
    assert refused.exit_code == 6, refused.said
    assert "somebody answers in its place" in refused.stderr
    assert spoilt.operator.farm(*trust, "--replace").exit_code == 0
    examine = ("doctor", "-i", spoilt.inventory, "--limit", "replaced", "--output", "json")
    assert spoilt.operator.farm(*examine).exit_code == 0


@pytest.mark.parametrize("name", FAULTS)
def test_bootstrap_says_so_and_goes_on(spoilt: Spoilt, name: str) -> None:
    host = spoilt.bootstrapped.hosts[name]
    assert (host["status"], host["changes"]) == ("failed", [])
    assert host["error"].startswith(f"{name}: ")
    assert FAULTS[name].meaning in host["error"]
    assert FAULTS[name].fix in host["fix"]
    assert host["error"] in spoilt.bootstrapped.stderr
    assert host["fix"] in spoilt.bootstrapped.stderr


def test_the_sound_hosts_serve(spoilt: Spoilt) -> None:
    assert spoilt.bootstrapped.exit_code == 3, spoilt.bootstrapped.said
    hosts = spoilt.bootstrapped.hosts
    assert {name for name, host in hosts.items() if host["status"] == "changed"} == {
        spoilt.head.name,
        spoilt.good.name,
    }
    spoilt.operator.await_nodes(spoilt.good.name)


def test_a_connection_that_breaks_off(spoilt: Spoilt) -> None:
    host = spoilt.bootstrapped.hosts["dropped"]
    assert host["status"] == "failed"
    assert f"the connection to {spoilt.dropped.address} was lost" in host["error"]
    assert "run this again: it goes on where it stopped" in host["fix"]


def test_a_disk_that_becomes_full(spoilt: Spoilt) -> None:
    host = spoilt.bootstrapped.hosts["overflown"]
    assert host["status"] == "failed"
    assert "No space left on device" in host["error"]
    assert "free space there" in host["fix"]


def test_nothing_half_installed_is_started(spoilt: Spoilt) -> None:
    running = "systemctl list-units --no-legend --plain --state=active,activating 'farm-*'"
    for host in spoilt.bad:
        if host.running:
            assert host.shell(running) == "", host.name
            assert "ray" not in " ".join(host.machine.command_lines()), host.name


def test_mended_hosts_are_completed(spoilt: Spoilt) -> None:
    spoilt.overflown.free_disk()
    off = spoilt.faulty[list(FAULTS).index("off")]
    off.start()
    mended = [spoilt.dropped, spoilt.overflown, off]
    names = [spoilt.head.name, spoilt.good.name, *(host.name for host in mended)]
    again = spoilt.operator.bootstrap(
        spoilt.inventory, *(word for name in names for word in ("--limit", name))
    )
    assert again.exit_code == 0, again.said
    assert not again.hosts[spoilt.good.name]["changes"]
    spoilt.operator.await_nodes(*names[1:])
