"""What hosts print, in the format they print it in, and what is known from it."""

from pathlib import Path
from typing import Any

import pytest

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.board import BOARD
from playbooks.facts.clock import TIME_SYNC, TimeSync, clock
from playbooks.facts.cpu import CPU, Cpu
from playbooks.facts.disk import SPACE, WRITE_SPEED, Space
from playbooks.facts.files import FileState, Kind, file_state, file_states, tree
from playbooks.facts.firewall import FIREWALL
from playbooks.facts.firmware import FIRMWARE, Firmware
from playbooks.facts.installation import INSTALLATION, Installation, ReleaseState
from playbooks.facts.listeners import LISTENERS, Listener
from playbooks.facts.machine import MACHINE, Machine
from playbooks.facts.memory import MEMORY, Memory
from playbooks.facts.mounts import MOUNTS
from playbooks.facts.network import NETWORK, Interface, Network
from playbooks.facts.own_name import OWN_NAME, OwnName
from playbooks.facts.packages import packages
from playbooks.facts.platform import PLATFORM, Platform
from playbooks.facts.python import PYTHON, Python
from playbooks.facts.runtime import RUNTIME, RuntimeTrial
from playbooks.facts.sudo import SUDO, Sudo
from playbooks.facts.units import UnitState, unit_state, unit_states
from playbooks.facts.users import User, user

RECORDED = Path(__file__).with_name("recorded")

CARD = Space(size_bytes=30358148 * 1024, free_bytes=25611916 * 1024, mount="/")
WIRE = Interface(name="eth0", speed_mbps=100)
KEY = FileState(
    kind=Kind.FILE,
    mode=0o640,
    owner="root:farm",
    size_bytes=227,
    sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)
RELEASE = "1.0-0a1b2c3d"
LINK = FileState(
    kind=Kind.LINK,
    mode=0o777,
    owner="root:root",
    size_bytes=38,
    target=f"/opt/farm/releases/{RELEASE}",
)

CASES: list[tuple[Fact[Any], str, Any]] = [
    (
        PLATFORM,
        "platform-pi-os-12",
        Platform(
            machine="aarch64",
            kernel="6.6.51+rpt-rpi-2712",
            init="systemd",
            bits=64,
            architecture="arm64",
            glibc=(2, 36),
            page_size_bytes=16384,
            pretty_name="Debian GNU/Linux 12 (bookworm)",
        ),
    ),
    (
        PLATFORM,
        "platform-pi-os-32-bit",
        Platform(
            machine="aarch64",
            kernel="6.1.21-v8+",
            init="systemd",
            bits=32,
            architecture="armhf",
            glibc=(2, 31),
            page_size_bytes=4096,
            pretty_name="Raspbian GNU/Linux 11 (bullseye)",
        ),
    ),
    (
        PLATFORM,
        "platform-alpine",
        Platform(
            machine="aarch64",
            kernel="6.6.31-0-rpi",
            init="init",
            bits=64,
            page_size_bytes=4096,
            pretty_name="Alpine Linux v3.20",
        ),
    ),
    (BOARD, "board-pi4", "Raspberry Pi 4 Model B Rev 1.5"),
    (CPU, "cpu-pi4", Cpu(cores=4, cpu_class="cortex-a72")),
    (CPU, "cpu-x86", Cpu(cores=8, cpu_class="x86-64-v3")),
    (
        MEMORY,
        "memory-pi4",
        Memory(
            total_bytes=3884396 * 1024,
            available_bytes=3492608 * 1024,
            bounded=False,
            boot_options="/boot/firmware/cmdline.txt",
        ),
    ),
    (
        MEMORY,
        "memory-unified",
        Memory(
            total_bytes=8055432 * 1024,
            available_bytes=7512608 * 1024,
            bounded=True,
            boot_options="/boot/firmware/cmdline.txt",
        ),
    ),
    (
        MEMORY,
        "memory-legacy",
        Memory(total_bytes=927024 * 1024, available_bytes=698132 * 1024, bounded=True),
    ),
    (PYTHON, "python-3.11", Python(version=(3, 11, 2), path="/usr/bin/python3")),
    (
        SPACE,
        "space",
        {
            "/opt": CARD,
            "/var/lib": CARD,
            "/var/tmp": Space(  # noqa: S108
                size_bytes=512000 * 1024,
                free_bytes=511996 * 1024,
                mount="/var/tmp",  # noqa: S108
            ),
        },
    ),
    (TIME_SYNC, "time-sync-pi", TimeSync(synchronised=True, possible=True, clocks=0)),
    (TIME_SYNC, "time-sync-none", TimeSync(synchronised=False, possible=False, clocks=1)),
    (
        OWN_NAME,
        "own-name",
        OwnName(name="pi-1", addresses=frozenset({"127.0.1.1"}), took_s=0.002103441),
    ),
    (OWN_NAME, "own-name-unknown", OwnName(name="pi-1", took_s=5.004114211)),
    (
        FIRMWARE,
        "firmware-pi4",
        Firmware(answers=True, throttle_flags=0x50005, temperature_c=59.3, clock_hz=600169920.0),
    ),
    (FIRMWARE, "firmware-denied", Firmware(answers=True, temperature_c=61.322)),
    (FIRMWARE, "firmware-none", Firmware(temperature_c=61.0)),
    (
        NETWORK,
        "network-pi",
        Network(
            interfaces={
                "127.0.0.1": Interface(name="lo"),
                "::1": Interface(name="lo"),
                "198.18.0.11": WIRE,
                "fd00::11": WIRE,
                "198.18.1.11": Interface(name="wlan0", wireless=True),
            },
            reached_at="198.18.0.11",
        ),
    ),
    (
        NETWORK,
        "network-veth",
        Network(interfaces={"198.18.2.10": Interface(name="eth0", speed_mbps=10000)}),
    ),
    (
        LISTENERS,
        "listeners",
        (
            Listener(port=22, process="sshd", pid=612),
            Listener(port=22, process="sshd", pid=612),
            Listener(port=6400, process="gcs_server", pid=1814, uid=999),
            Listener(port=8001, uid=1000),
        ),
    ),
    (
        packages(["python3", "nftables", "iproute2"]),
        "packages",
        {"iproute2": "6.1.0-3", "python3": "3.11.2-1+b1"},
    ),
    (
        user("farm"),
        "user-farm",
        User(  # noqa: S604
            uid=999,
            home="/var/lib/farm",
            shell="/usr/sbin/nologin",
        ),
    ),
    (
        unit_states("farm-node.service", "farm-firewall.service", "farm-head@a.service"),
        "units",
        {
            "farm-node.service": UnitState(
                loaded=True,
                enabled=True,
                active="activating",
                result="watchdog",
                restarts=7,
                status="the head at 198.18.0.10:6400 does not answer",
                needs_reload=True,
            ),
            "farm-firewall.service": UnitState(
                loaded=True, enabled=True, active="active", result="success"
            ),
            "farm-head@a.service": UnitState(result="success"),
        },
    ),
    (
        unit_state("farm-firewall.service"),
        "units",
        UnitState(loaded=True, enabled=True, active="active", result="success"),
    ),
    (
        file_states("/etc/farm/tls/key.pem", "/etc/farm/tls", "/opt/farm/node", "/etc/farm/none"),
        "files",
        {
            "/etc/farm/tls/key.pem": KEY,
            "/etc/farm/tls": FileState(
                kind=Kind.FOLDER, mode=0o750, owner="root:farm", size_bytes=4096
            ),
            "/opt/farm/node": LINK,
        },
    ),
    (file_state("/etc/farm/tls/key.pem"), "files", KEY),
    (file_state("/etc/farm/none"), "files", FileState()),
    (tree("/opt/farm", depth=1), "files", {"node": LINK}),
    (
        INSTALLATION,
        "installation",
        Installation(
            releases={
                RELEASE: ReleaseState.COMPLETE,
                "1.1-4e5f6a7b": ReleaseState.REFUSED,
                "1.1-8c9d0e1f": ReleaseState.UNFINISHED,
            },
            runs={"node": RELEASE},
        ),
    ),
    (FIREWALL, "firewall", True),
    (
        MACHINE,
        "machine",
        Machine(
            boot_id="5a0f5e32-6d0f-4c9a-9a60-3f2d1f6d2d11",
            machine_id="9d0b4b1c6c0f4fbb8d8e4b6e3f1a2c3d",
            host_key="AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPL",
        ),
    ),
]


@pytest.mark.parametrize(
    ("fact", "recording", "expected"),
    [pytest.param(*case, id=f"{case[0].name.split()[0]} {case[1]}") for case in CASES],
)
def test_what_a_host_prints_is_understood(fact: Fact[Any], recording: str, expected: Any) -> None:
    text = (RECORDED / f"{recording}.txt").read_text()
    assert fact.parse(Result(stdout=text)) == expected


def test_mounts() -> None:
    mounts = MOUNTS.parse(Result(stdout=(RECORDED / "mounts.txt").read_text()))
    assert mounts["/"] == {"ro", "noatime"}
    assert mounts["/media/a disk"] == {"rw", "relatime"}
    assert "size=131072k" in mounts["/var/lib/farm/ray"]


def test_write_speed_is_what_was_flushed_by_the_time_it_took() -> None:
    told = Result(stderr=(RECORDED / "write-speed.txt").read_text())
    assert WRITE_SPEED.parse(told) == pytest.approx(14_000_000, rel=1e-4)


@pytest.mark.parametrize(
    ("said", "expected"),
    [("free", Sudo.FREE), ("asks\n", Sudo.ASKS), ("absent", Sudo.ABSENT), ("", Sudo.UNKNOWN)],
)
def test_sudo(said: str, expected: Sudo) -> None:
    assert SUDO.parse(Result(stdout=said)) is expected


def test_a_clock_is_compared_in_the_middle_of_the_question() -> None:
    times = iter([1_000_000_000.0, 1_000_000_000.4])
    told = clock(lambda: next(times)).parse(Result(stdout="1000000002.700000000\n"))
    assert told.ahead_s == pytest.approx(2.5, abs=1e-6)
    assert told.uncertainty_s == pytest.approx(0.2, abs=1e-6)
    assert told.is_off_by(2.0)
    assert not told.is_off_by(2.4)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            Result(stdout='{"onnxruntime": "1.27.0", "error": ""}\n'),
            RuntimeTrial(version="1.27.0"),
        ),
        (
            Result(stdout='{"onnxruntime": "1.27.0", "error": "other answers"}\n', exit_code=1),
            RuntimeTrial(version="1.27.0", failure="other answers"),
        ),
        (
            Result(stderr="Segmentation fault\n", exit_code=139),
            RuntimeTrial(failure="segmentation fault"),
        ),
        (
            Result(stderr="Illegal instruction\n", exit_code=132),
            RuntimeTrial(failure="illegal instruction"),
        ),
        (
            Result(stderr="Traceback\nModuleNotFoundError: No module named 'numpy'\n", exit_code=1),
            RuntimeTrial(failure="ModuleNotFoundError: No module named 'numpy'"),
        ),
        (Result(stderr="sh: 1: /opt/farm/node/bin/python: not found", exit_code=127), None),
    ],
)
def test_runtime_trials(told: Result, expected: RuntimeTrial | None) -> None:
    assert RUNTIME.parse(told) == expected
