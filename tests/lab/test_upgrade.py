"""`farm upgrade` under load, for better and for worse, and `farm uninstall` in the end."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from farm_versions import make_version
from lab import Host
from operator_machine import Ended, Operator
from shelf_farm import ShelfFarm
from traffic import Traffic

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def with_version(
    shelf: ShelfFarm, folder: Path, version: str, *edits: tuple[str, str, str]
) -> Operator:
    """Return the shelf's operator with another version of the farm installed."""
    return replace(shelf.operator, code=make_version(folder, version, *edits))


def upgrade(shelf: ShelfFarm, operator: Operator) -> Ended:
    """Upgrade the farm under load; no request may fail, however the upgrade ends."""
    with Traffic(shelf.address, shelf.developer) as traffic:
        ended = operator.farm("upgrade", "-i", shelf.inventory, "--output", "json")
        traffic.await_answers()
    assert traffic.failures == [], ended.said
    return ended


def running(host: Host, link: str) -> str:
    """Return the release that a service of a host runs."""
    return host.shell(f"readlink /opt/farm/{link}").strip().removeprefix("/opt/farm/releases/")


def test_an_upgrade_that_breaks_a_node_stops_there(shelf: ShelfFarm, tmp_path: Path) -> None:
    start = "_become(load_run_config(NodeRunConfig, config).machine().program(sys.executable))"
    broken = ("farm/cli/run.py", start, "raise SystemExit('broken on purpose')")
    before = running(shelf.nodes[1], "node")
    ended = upgrade(shelf, with_version(shelf, tmp_path, "90.0", broken))
    assert ended.exit_code == 3, ended.said
    first, second = (ended.hosts[node.name] for node in shelf.nodes)
    assert first["status"] == "failed"
    assert "broken on purpose" in first["error"]
    assert "install the farm's version of before" in first["fix"]
    assert shelf.nodes[0].name in second["skipped"]
    assert running(shelf.nodes[1], "node") == before


def test_the_way_back(shelf: ShelfFarm) -> None:
    ended = upgrade(shelf, shelf.operator)
    assert ended.exit_code == 0, ended.said
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))


def test_a_rolling_upgrade(shelf: ShelfFarm, tmp_path: Path) -> None:
    ended = upgrade(shelf, with_version(shelf, tmp_path, "91.0"))
    assert ended.exit_code == 0, ended.said
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))
    for node in shelf.nodes:
        assert running(node, "node").startswith("91.0-")
    assert not running(shelf.head, "head-a").startswith("91.0-"), "the cluster lives in it"


def test_a_change_of_ray_goes_over_a_second_cluster(shelf: ShelfFarm, tmp_path: Path) -> None:
    """The cluster that runs looks as if it were of an older Ray."""
    packages = "/opt/farm/head-a/lib/python3*/site-packages"
    shelf.head.shell(f"cd {packages} && mv ray-*.dist-info ray-2.0.0.dist-info")
    ended = upgrade(shelf, with_version(shelf, tmp_path, "92.0"))
    assert ended.exit_code == 0, ended.said
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))
    assert running(shelf.head, "head-b").startswith("92.0-")
    active = shelf.head.shell("systemctl is-active farm-head@a farm-head@b || :")
    assert active.split() == ["inactive", "active"]
    ports = {line.split()[3].rpartition(":")[2] for line in
             shelf.nodes[0].shell("ss --no-header -lnt").splitlines()}  # fmt: skip
    assert "6501" in ports
    assert "6401" not in ports


# What every system that runs for a while writes.
OF_THE_SYSTEM = re.compile(
    r"/(dev|proc|run|sys|tmp)/|/var/(backups|cache|log|tmp)/|/var/lib/(apt|dpkg|systemd)/|/home/"
    r"|/etc/(passwd|shadow|group|gshadow|subuid|subgid)-$|/etc/ld.so.cache$"
)


@pytest.fixture
def removed(shelf: ShelfFarm) -> Iterator[Ended]:
    yield shelf.operator.farm("uninstall", "-i", shelf.inventory, "--yes", "--output", "json")


def test_uninstall_leaves_what_it_says_and_nothing_else(shelf: ShelfFarm, removed: Ended) -> None:
    assert removed.exit_code == 0, removed.said
    assert "left on the hosts: the distribution's package nftables" in removed.stderr
    for host in shelf.hosts:
        left = shelf.files(host) - shelf.bare_files[host.name]
        packages = shelf.packages(host) - shelf.bare_packages[host.name]
        assert "nftables" in packages
        packaged = set(host.shell(f"dpkg --listfiles {' '.join(packages)}").splitlines())
        # Packages still name /lib, which is a link to /usr/lib.
        packaged |= {f"/usr{path}" for path in packaged}
        assert {path for path in left - packaged if not OF_THE_SYSTEM.match(path)} == set()
        assert host.shell("getent passwd farm; getent group farm; :") == ""
        assert host.shell("nft list tables") == ""
        assert host.shell("findmnt -rno TARGET | grep farm || :") == ""
        assert host.shell("systemctl list-units --all --no-legend 'farm*' 'var-lib-farm*'") == ""
        assert not re.search("/opt/farm|gcs_server|ray::", " ".join(host.machine.command_lines()))
