"""`farm bootstrap` is killed where it hurts; the next run completes what it finds."""

import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import digit_requests
import pytest
from lab import Host, Lab
from operator_machine import Operator

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    operator: Operator
    inventory: Path
    both: Host
    node: Host


@pytest.fixture(scope="module")
def bare(lab: Lab) -> Bare:
    operator = Operator.of(lab)
    both, node = lab.bare(2, memory_mb=2048)
    inventory = lab.write_inventory(head=both, nodes=[both, node])
    operator.trust(inventory)
    return Bare(operator=operator, inventory=inventory, both=both, node=node)


def kill_once(bare: Bare, seen: Callable[[], None]) -> None:
    """Kill a bootstrap with SIGKILL once something has been seen on a host.

    Until then it must have got along with what others that were killed left behind.
    """
    log = bare.operator.home / "killed.log"
    with (
        log.open("w") as file,
        bare.operator.start(
            "bootstrap", "-i", bare.inventory, stdout=file, stderr=subprocess.STDOUT
        ) as command,
    ):
        try:
            seen()
        finally:
            command.kill()
    assert command.returncode == -signal.SIGKILL, log.read_text()
    assert ": failed: " not in log.read_text()


def active_units(host: Host) -> set[str]:
    listed = host.shell("systemctl list-units --no-legend --plain --state=active 'farm-*.service'")
    return set(re.findall(r"^\S+", listed, re.MULTILINE))


def test_while_wheels_are_sent(bare: Bare) -> None:
    moved = "install -m .* /opt/farm/wheels/"
    kill_once(bare, lambda: bare.node.await_process(moved, timeout_s=300))
    assert not active_units(bare.node)


def test_while_packages_are_installed(bare: Bare) -> None:
    installing = "pip --isolated .* install"
    kill_once(bare, lambda: bare.node.await_process(installing, timeout_s=300))
    assert not active_units(bare.node)


def test_while_the_head_starts(bare: Bare) -> None:
    kill_once(bare, lambda: bare.both.await_process("gcs_server", timeout_s=600))
    assert not active_units(bare.both) & {"farm-gateway@a.service", "farm-gateway@b.service"}


def test_power_that_is_lost_while_services_start(bare: Bare) -> None:
    """The host is gone in mid-step, and comes back with what was enabled by then."""
    kill_once(bare, lambda: bare.node.await_process("farm run node", timeout_s=600))
    bare.node.power_cycle()


def test_the_next_run_completes_it(bare: Bare) -> None:
    completed = bare.operator.bootstrap(bare.inventory)
    assert completed.exit_code == 0, completed.said
    bare.operator.await_nodes(bare.both.name, bare.node.name)
    again = bare.operator.bootstrap(bare.inventory)
    assert [host["changes"] for host in again.hosts.values()] == [[], []]
    folder = bare.operator.home / "for-alice"
    assert bare.operator.farm("certs", "issue", "alice", "--folder", folder).exit_code == 0
    with digit_requests.client(f"{bare.both.address}:8001", folder) as connection:
        digit_requests.ask(connection)


def test_what_killed_runs_left_is_closed_and_goes(bare: Bare) -> None:
    landings = "find /var/tmp -maxdepth 1 -name 'farm-*'"
    for host in (bare.both, bare.node):
        assert len(host.shell("ls /opt/farm/releases").split()) == 1
        assert host.shell("find /opt/farm /etc/farm /etc/systemd -name '*.farm-new'") == ""
        assert set(host.shell(f"{landings} -printf '%m %u\n'").splitlines()) <= {"700 pi"}
        # After an hour, when something is sent again.
        host.shell(f"{landings} -exec touch -d '2 hours ago' {{}} +; rm /etc/farm/firewall.nft")
    sent = bare.operator.bootstrap(bare.inventory)
    assert sent.exit_code == 0, sent.said
    for host in (bare.both, bare.node):
        assert [change["step"] for change in sent.hosts[host.name]["changes"]] == ["firewall"]
        assert host.shell(landings) == ""
