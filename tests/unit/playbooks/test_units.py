"""The units' texts, as systemd itself reads them."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from playbooks import layout, services, units

UNITS = {
    services.node().unit: units.node_unit(memory_max_mb=512, firewall=True, rapl=True),
    services.head("a").unit: units.head_unit(memory_max_mb=None, firewall=True),
    services.gateway("b").unit: units.gateway_unit(memory_max_mb=None),
    services.firewall().unit: units.firewall_unit(),
    units.RAY_MOUNT: units.ray_mount(),
}
OF_FARM = [name for name in UNITS if re.match("farm-(node|head|gateway)", name)]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, which is systemd's"
)
def test_systemd_knows_every_line(tmp_path: Path) -> None:
    for name, text in UNITS.items():
        # Nothing of the farm is installed here.
        known = re.sub(rf"{layout.SOFTWARE}/\S+/bin/farm|/usr/sbin/nft", "/bin/true", text)
        (tmp_path / name).write_text(known)
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", *UNITS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)


@pytest.mark.parametrize("name", OF_FARM)
def test_services_run_as_the_farms_user_and_may_do_little(name: str) -> None:
    lines = UNITS[name].splitlines()
    for wanted in (
        f"User={layout.USER}",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        f"ReadWritePaths={layout.HOME}",
        "CapabilityBoundingSet=",
        "Type=notify",
        "WatchdogSec=30",
        # However it ended: some helpers against a lack of memory send a polite SIGTERM.
        "Restart=always",
    ):
        assert wanted in lines


@pytest.mark.parametrize("unit", [units.node_unit, units.head_unit])
def test_ray_starts_only_behind_the_firewall_and_on_its_own_memory(
    unit: Callable[..., str],
) -> None:
    ground = f"{units.RAY_MOUNT} {services.firewall().unit}"
    text = unit(memory_max_mb=None, firewall=True)
    assert {f"Requires={ground}", f"After={ground}"} <= set(text.splitlines())


@pytest.mark.parametrize(
    "unit",
    [
        lambda memory: units.node_unit(memory_max_mb=memory, firewall=True),
        lambda memory: units.head_unit(memory_max_mb=memory, firewall=True),
        lambda memory: units.gateway_unit(memory_max_mb=memory),
    ],
)
def test_memory_is_bounded_where_it_is_known(unit: Callable[[int | None], str]) -> None:
    assert "MemoryMax=700M" in unit(700).splitlines()
    assert "MemoryMax" not in unit(None)


@pytest.mark.parametrize("service", [services.node(), services.head("a"), services.gateway("b")])
def test_a_start_keeps_the_stamp_of_what_the_service_says_it_reads(
    service: services.Service,
) -> None:
    letter = service.unit.partition("@")[2][:1]
    text = UNITS[service.unit].replace("%i", letter).replace("%n", service.unit)
    before = re.findall(r"^ExecStartPre=\+/bin/sh -c '(.*)'$", text, re.MULTILINE)
    assert before == [f"mkdir -p {services.STARTED} && {service.stamp} > {service.marker}"]
    for path in service.inputs:
        assert path in before[0]
