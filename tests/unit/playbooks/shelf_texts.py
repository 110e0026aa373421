"""What a sound Raspberry Pi answers, fact by fact, and every fact that a doctor asks."""

from pathlib import Path
from typing import Any

from playbooks.commands import Result
from playbooks.doctor.table import EVERYTHING
from playbooks.facts.base import Fact
from playbooks.facts.clock import clock
from playbooks.facts.machine import MACHINE

RECORDED = Path(__file__).parent / "facts" / "recorded"

# The operator's time, and every host's unless a test says otherwise.
NOW_S = 1_800_000_000.0

ASKED: dict[str, Fact[Any]] = {fact.name: fact for check in EVERYTHING for fact in check.reads}
ASKED |= {fact.name: fact for fact in (MACHINE, clock(lambda: NOW_S))}


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def named(beginning: str) -> str:
    """Return the whole name of the one fact that begins so."""
    (name,) = (name for name in ASKED if name.startswith(beginning))
    return name


def sound_pi(number: int = 1) -> dict[str, str | Result]:
    """Return the texts of a sound Raspberry Pi 4 at 198.18.0.<number>, without a farm."""
    return {
        "sudo": "free\n",
        "platform": recorded("platform-pi-os-12").replace("page=16384", "page=4096"),
        "board": recorded("board-pi4"),
        "cpu": recorded("cpu-pi4"),
        "memory": recorded("memory-unified"),
        "python": recorded("python-3.11"),
        named(
            "packages"
        ): "iproute2 installed 6.1\nnftables installed 1.0\npython3 installed 3.11\n",
        "space": recorded("space").replace("512000   511996", "9512000  9511996"),
        "mounts": recorded("mounts").replace("ext4 ro,", "ext4 rw,"),
        "installation": "",
        "time sync": recorded("time-sync-pi"),
        "clock": f"{NOW_S:.9f}\n",
        "own name": recorded("own-name"),
        "network": recorded("network-pi")
        .replace("198.18.0.11", f"198.18.0.{number}")
        .replace("eth0 speed 100", "eth0 speed 1000"),
        "listeners": recorded("listeners").splitlines()[0] + "\n",
        named("user"): "",
        "firmware": recorded("firmware-pi4").replace("0x50005", "0x0"),
        "write speed": Result(stderr=recorded("write-speed")),
        "machine": recorded("machine")
        .replace("5a0f5e32", f"{number:08x}")
        .replace("9d0b4b1c", f"{number:08x}")
        .replace("AAAAIEXAMPLE", f"AAAAIE{number:06d}"),
    }


def farmed_pi(number: int = 1) -> dict[str, str | Result]:
    """Return the texts of one that serves."""
    running = "LoadState=loaded\nActiveState=active\nNRestarts=0\n"
    units = ("farm-node.service", "farm-firewall.service", "var-lib-farm-ray.mount")
    return sound_pi(number) | {
        "installation": "link node /opt/farm/releases/1.0-a\nrelease 1.0-a\n"
        "stamp .complete /opt/farm/releases/1.0-a\n",
        named("user"): recorded("user-farm"),
        "listeners": recorded("listeners").replace("0.0.0.0:8001 ", "0.0.0.0:9001 "),
        named("units"): "\n".join(f"Id={unit}\n{running}" for unit in units),
        "firewall": recorded("firewall"),
        "runtime": '{"onnxruntime": "1.27.0", "error": ""}\n',
    }
