"""Which meter a host has: the one that its settings name, else one that is built in."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from farm.node.meters import http_json, hwmon, rapl, shelly, tasmota
from farm.node.meters.hwmon import Hwmon
from farm.node.meters.network import NetworkMeter
from farm.node.meters.pmic import Pmic
from farm.node.meters.rapl import Rapl
from farm.node.meters.reading import Device, Fault, Reading
from farm.node.meters.sampler import Sampler
from farm.node.settings import MeterSettings

# Raspberry Pi 5, 500, 500+ and Compute Module 5 have the same power management chip.
_HAS_PMIC: Final = re.compile("Raspberry Pi (Compute Module )?5")

_DEVICES: Final[Mapping[str, Callable[[MeterSettings], Device]]] = MappingProxyType(
    {
        "pmic": lambda _: Pmic(),
        "hwmon": lambda settings: Hwmon(settings.channel),
        "rapl": lambda _: Rapl(),
        "shelly": lambda settings: NetworkMeter(
            "shelly", settings.url or "", shelly.questions(settings.channel)
        ),
        "tasmota": lambda settings: NetworkMeter(
            "tasmota", settings.url or "", tasmota.questions(settings.channel)
        ),
        "http": lambda settings: NetworkMeter(
            "http", settings.url or "", http_json.questions(settings.watts_at or "")
        ),
    }
)


class _UnknownDevice:
    """A meter of a type that this version does not know."""

    def __init__(self, kind: str) -> None:
        self.label = kind

    def read(self) -> Reading | Fault:
        return Fault(f"is of none of the types {', '.join(_DEVICES)}: upgrade the node")


def built_in(board: str) -> MeterSettings | None:
    """Return the settings of the best meter that this machine has, None if it has none.

    `board` is what the firmware calls it.
    """
    if _HAS_PMIC.match(board):
        return MeterSettings(type="pmic")
    if hwmon.sensors():
        return MeterSettings(type="hwmon")
    return MeterSettings(type="rapl") if rapl.readable() else None


def power_meter(settings: MeterSettings | None, board: str) -> Sampler | None:
    """Return the host's meter, not started yet; None if nothing names one and it has none."""
    chosen = settings or built_in(board)
    if chosen is None:
        return None
    find = _DEVICES.get(chosen.type)
    return Sampler(
        chosen.type,
        find(chosen) if find is not None else _UnknownDevice(chosen.type),
        interval_s=chosen.interval_s,
        max_w=chosen.max_w,
    )
