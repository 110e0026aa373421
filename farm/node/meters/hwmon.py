"""A Texas Instruments INA2xx on the supply line, as the kernel's hwmon shows it.

The chip averages over its conversion time and has no energy counter that the kernel shows.
Files and units are those of the kernel's documentation of ina2xx: power1_input in microwatts,
curr1_input in milliamperes, in1_input (behind the shunt, the bus) in millivolts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from farm.node.meters.reading import Fault, Reading

HWMON: Final = Path("/sys/class/hwmon")

_FILES: Final = ("power1_input", "curr1_input", "in1_input")


def parse(files: Mapping[str, str]) -> Reading | Fault:
    """Return the watts in the texts of a sensor's files, by the files' names."""
    microwatts, milliamperes, millivolts = (_integer(files.get(name, "")) for name in _FILES)
    if microwatts is not None:
        return Reading(watts=microwatts / 1e6)
    if milliamperes is not None and millivolts is not None:
        return Reading(watts=milliamperes * millivolts / 1e6)
    return Fault("tells neither power nor current and voltage: check its wiring (i2cdetect)")


def _integer(text: str) -> int | None:
    text = text.strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def sensors(root: Path = HWMON) -> list[Path]:
    """Return the folders of all INA2xx, in the order of their addresses."""
    found = [folder for folder in _folders(root) if _text(folder / "name").startswith("ina2")]
    # hwmon's own numbers change from one boot to the next.
    return sorted(found, key=lambda folder: (str((folder / "device").resolve()), folder.name))


class Hwmon:
    """Reads the files of one sensor."""

    label = "hwmon"

    def __init__(self, channel: int = 0, root: Path = HWMON) -> None:
        self._channel = channel
        self._root = root

    def read(self) -> Reading | Fault:
        found = sensors(self._root)
        if self._channel >= len(found):
            return Fault(
                f"has no sensor {self._channel}: the kernel shows {len(found)} INA2xx, counted from"
                " 0; check the device tree overlay and `channel`"
            )
        folder = found[self._channel]
        return parse({name: _text(folder / name) for name in _FILES})


def _folders(root: Path) -> list[Path]:
    try:
        return list(root.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
