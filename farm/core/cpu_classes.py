"""Names for CPUs that round alike and run the same wheels."""

import re
from typing import Final

# "CPU part" numbers of Arm's own cores on Raspberry Pis (Arm's MIDR registers).
_ARM_PARTS: Final = {
    "0xb76": "arm1176",
    "0xc07": "cortex-a7",
    "0xd03": "cortex-a53",
    "0xd08": "cortex-a72",
    "0xd0b": "cortex-a76",
}

# Feature levels of the x86-64 psABI, strongest first; a level counts when all flags are there.
_X86_LEVELS: Final = (
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
