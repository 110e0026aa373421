"""RAPL, the energy counters of x86 processors, as the kernel's powercap shows them.

The counter is all there is, it is exact to some microjoules, and what passes between two looks
at it is not lost; so watts are the counter's slope here. Only whole packages are summed up.
Zones below one (core, uncore, dram) are parts of it, intel-rapl-mmio shows the same packages
again, and psys, where there is one, holds them too: with it the same word would mean the
processor on one machine and the whole of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from farm.node.meters.reading import Fault, Reading

POWERCAP: Final = Path("/sys/class/powercap")

_FILES: Final = ("energy_uj", "max_energy_range_uj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package's counter and the value after which it begins at 0 again, in microjoules."""

    energy_uj: int
    range_uj: int


def parse(files: Mapping[str, str]) -> Package | None:
    """Return the counter in the texts of a zone's files, or None if they are something else."""
    energy_uj, range_uj = (_natural(files.get(name, "")) for name in _FILES)
    if energy_uj is None or range_uj is None or energy_uj > range_uj:
        return None
    return Package(energy_uj=energy_uj, range_uj=range_uj)


def advance_j(before: Package, now: Package) -> float:
    """Return the joules between two looks at a counter that began anew at most once."""
    passed_uj = now.energy_uj - before.energy_uj
    return (passed_uj if passed_uj >= 0 else passed_uj + now.range_uj) / 1e6


def _natural(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def packages(root: Path = POWERCAP) -> list[Path]:
    """Return the folders of all packages."""
    try:
        # Zones below a package have a second number, as intel-rapl:0:1.
        zones = [zone for zone in root.iterdir() if zone.name.startswith("intel-rapl:")]
    except OSError:
        return []
    return sorted(
        zone
        for zone in zones
        if zone.name.count(":") == 1 and (_text(zone / "name") or "").startswith("package-")
    )


def readable(root: Path = POWERCAP) -> bool:
    """Whether there is a counter that this process may look at."""
    zones = packages(root)
    return bool(zones) and all(_text(zone / "energy_uj") is not None for zone in zones)


class Rapl:
    """Adds up how far the counters of all packages advance."""

    label = "rapl"

    def __init__(self, root: Path = POWERCAP) -> None:
        self._root = root
        self._before: dict[str, Package] = {}
        self._counted_j = 0.0

    def read(self) -> Reading | Fault:
        now: dict[str, Package] = {}
        for zone in packages(self._root):
            texts = {name: _text(zone / name) for name in _FILES}
            if texts["energy_uj"] is None:
                return Fault(
                    "cannot be read: the kernel shows its counters to root alone; give the node's"
                    " user the right to read energy_uj"
                )
            package = parse({name: text or "" for name, text in texts.items()})
            if package is None:
                return Fault(f"has no number in the counter of {zone.name}")
            now[zone.name] = package
        if not now:
            return Fault("has no package's counter: load the kernel module intel_rapl_msr")
        for name in now.keys() & self._before.keys():
            self._counted_j += advance_j(self._before[name], now[name])
        self._before = now
        return Reading(counted_j=self._counted_j)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
