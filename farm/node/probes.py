"""What the hardware is and how it feels, through psutil and a few files of the kernel."""

import platform
from pathlib import Path

import psutil

from farm.core.cpu_classes import cpu_class


def read_cpu_class() -> str:
    """Return this machine's CPU class."""
    return cpu_class(_text("/proc/cpuinfo"), platform.machine())


def read_board() -> str:
    """Return the board's model as the firmware names it, or the machine name elsewhere."""
    return _text("/proc/device-tree/model").rstrip("\0") or platform.machine()


def core_count() -> int:
    """Return the cores this process may use."""
    return len(psutil.Process().cpu_affinity())


def memory_bytes() -> tuple[int, int]:
    """Return total and available bytes of memory."""
    memory = psutil.virtual_memory()
    return memory.total, memory.available


def temperature_c() -> float | None:
    """Return the hottest sensor of the CPU, or None without one."""
    readings = [
        sensor.current
        for name, sensors in psutil.sensors_temperatures().items()
        if name in {"cpu_thermal", "coretemp", "k10temp", "soc_thermal"}
        for sensor in sensors
    ]
    return max(readings, default=None)


def clock_hz() -> float | None:
    """Return the CPU's present clock, or None where the kernel does not tell."""
    try:
        cores = psutil.cpu_freq(percpu=True)
    except (NotImplementedError, OSError):
        return None
    return max((core.current * 1e6 for core in cores), default=None)


def highest_clock_hz() -> float | None:
    """Return the highest clock of the fastest core, or None where the kernel does not tell."""
    folders = Path("/sys/devices/system/cpu/cpufreq").glob("policy*")
    texts = (_text(str(folder / "cpuinfo_max_freq")).strip() for folder in folders)
    return max((int(text) * 1e3 for text in texts if text.isdigit()), default=None)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
