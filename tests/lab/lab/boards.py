"""The boards that hosts stand in for, and what they get of this machine for it."""

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What a board says of itself, and its hardware.

    `speed` is that of all cores in relation to a Pi 4's. `clock_id` is the number that its
    firmware puts before the clock of the cores.
    """

    model: str
    speed: float
    memory_mb: int
    clock_hz: int
    clock_id: int = 48

    @property
    def cpus(self) -> float:
        """The quota in cores of this machine: one for a Pi 4, the others in proportion."""
        return min(self.speed, float(os.cpu_count() or 1))


# Speeds: MobileNetV2 in fp32 on four threads took 147, 112, 61.9 and 10.5 ms (ncnn's benchmark
# figures of 2026-07).
BOARDS: Final = {
    "rpi-zero2w": Board(
        model="Raspberry Pi Zero 2 W Rev 1.0",
        speed=61.9 / 147,
        memory_mb=512,
        clock_hz=1_000_000_000,
    ),
    "rpi3b+": Board(
        model="Raspberry Pi 3 Model B Plus Rev 1.3",
        speed=61.9 / 112,
        memory_mb=1024,
        clock_hz=1_400_000_000,
    ),
    "rpi4b": Board(
        model="Raspberry Pi 4 Model B Rev 1.5",
        speed=1.0,
        memory_mb=4096,
        clock_hz=1_800_000_000,
    ),
    "rpi5": Board(
        model="Raspberry Pi 5 Model B Rev 1.0",
        speed=61.9 / 10.5,
        memory_mb=8192,
        clock_hz=2_400_000_000,
        clock_id=0,
    ),
}
