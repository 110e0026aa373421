"""How far each type of power meter can be trusted."""

from collections.abc import Mapping
from typing import Final

from farm.energy.power import MeterAccuracy

# A plug's chip counts pulses, at 12 W one a second (labparvum.com, Shelly Plug S, read 2026-11):
# at a board's few watts its reading is coarse.
_PLUG: Final = "assumed: no maker's figure was found for the few watts that a board draws"

ACCURACY: Final[Mapping[str, MeterAccuracy]] = {
    "pmic": MeterAccuracy(
        gain=1.1451,
        offset_w=0.5879,
        within=0.15,
        basis=(
            "the rails' sum is corrected as fitted to one board (jfikar/RPi5-power, 2024-05); the"
            " band is assumed, and what USB, HATs and NVMe take is not in it"
        ),
    ),
    "hwmon": MeterAccuracy(
        within=0.03,
        basis=(
            "INA219B 0.5 %, INA226 0.1 % of gain (Texas Instruments' data sheets, as others cite"
            " them, read 2026-11); the rest is assumed for the shunt's tolerance and wiring"
        ),
    ),
    "rapl": MeterAccuracy(
        within=0.5,
        basis=(
            "assumed: it tells of processor packages alone (as Intel models them on most machines;"
            " Desrochers, Paradis, Weaver, MEMSYS 2016), not of the machine around them"
        ),
    ),
    "shelly": MeterAccuracy(within=0.1, basis=_PLUG),
    "tasmota": MeterAccuracy(
        within=0.1, basis=f"{_PLUG}; Tasmota asks for each plug to be calibrated by hand"
    ),
    "http": MeterAccuracy(within=0.1, basis="assumed: nothing is known of the meter behind it"),
}


def accuracy(kind: str) -> MeterAccuracy:
    """Return how a type of meter relates to the truth; one that is not known as any other."""
    return ACCURACY.get(kind, ACCURACY["http"])
