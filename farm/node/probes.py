"""What the hardware is and how it feels, through psutil and a few files of the kernel."""

import platform
import re
from pathlib import Path

import psutil

# "CPU part" numbers of Arm's own cores on Raspberry Pis (Arm's MIDR registers).
_ARM_PARTS = {
    "0xb76": "arm1176",
    "0xc07": "cortex-a7",
    "0xd03": "cortex-a53",
    "0xd08": "cortex-a72",
    "0xd0b": "cortex-a76",
}

# Feature levels of the x86-64 psABI, strongest first; a level counts when all flags are there.
_X86_LEVELS = (
    ("x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    ("x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}),
    ("x86-64-v2", {"cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
)


def cpu_class(cpuinfo: str, machine: str) -> str:
    """Return the class of CPU whose rounding goldens follow, from /proc/cpuinfo's text.

    Arm cores go by their part number, x86-64 by its psABI level; anything else by the
    machine name.
    """
    part = re.search(r"^CPU part\s*:\s*(0x[0-9a-f]+)", cpuinfo, re.MULTILINE)
    if part:
        return _ARM_PARTS.get(part.group(1), f"arm-{part.group(1)}")
    flags = re.search(r"^flags\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    if flags:
        present = set(flags.group(1).split())
        for level, needed in _X86_LEVELS:
            if needed <= present:
                return level
        return "x86-64-v1"
    return machine


def read_cpu_class() -> str:
    """Return this machine's CPU class."""
    return cpu_class(_text("/proc/cpuinfo"), platform.machine())


def read_board() -> str:
    """Return the board's model as the firmware names it, or the machine name elsewhere."""
    return _text("/proc/device-tree/model").rstrip("\0") or platform.machine()


def core_count() -> int:
    """Return the cores this process may use."""
    return len(psutil.Process().cpu_affinity())


def cpu_fraction() -> float:
    """Return the load of all cores since the last call, 0 to 1."""
    return psutil.cpu_percent(interval=None) / 100.0


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
