"""What a Raspberry Pi's firmware says of its supply, heat and clock."""

from dataclasses import dataclass

from farm.core import vcgencmd
from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """None where nothing tells: on other machines, and where the user may not ask.

    `throttle_flags` are those of `farm.core.vcgencmd`. `temperature_c` is the firmware's, else
    the hottest of the kernel's. `answers` says that the command is there.
    """

    answers: bool = False
    throttle_flags: int | None = None
    temperature_c: float | None = None
    clock_hz: float | None = None


def _parse(told: Result) -> Firmware:
    said = pairs(told.stdout)
    zones = [whole(line) for line in told.stdout.splitlines()]
    kernel_c = max((zone / 1000 for zone in zones if zone is not None), default=None)
    temperature_c = vcgencmd.temperature_c(said.get("measure_temp", ""))
    return Firmware(
        answers="get_throttled" in said,
        throttle_flags=vcgencmd.throttle_flags(said.get("get_throttled", "")),
        temperature_c=kernel_c if temperature_c is None else temperature_c,
        clock_hz=vcgencmd.arm_clock_hz(said.get("measure_clock", "")),
    )


FIRMWARE = Fact(
    name="firmware",
    command="""if command -v vcgencmd >/dev/null; then
    printf 'get_throttled=%s\\n' "$(vcgencmd get_throttled)"
    printf 'measure_temp=%s\\n' "$(vcgencmd measure_temp)"
    printf 'measure_clock=%s\\n' "$(vcgencmd measure_clock arm)"
fi
cat /sys/class/thermal/thermal_zone*/temp
exit 0
""",
    parse=_parse,
)
