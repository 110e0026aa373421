"""The power management chip of a Raspberry Pi 5, asked through `vcgencmd pmic_read_adc`.

It tells amperes and volts of twelve rails behind the 5 V input; their product is summed up. What
leaves over the 5 V path (USB, HATs, NVMe) is not in it, nor what the chip itself loses: the
gateway corrects for that. It has no energy counter.
"""

import re
import subprocess
from collections.abc import Mapping
from shutil import which
from typing import Final

from farm.node.meters.reading import Fault, Reading

_TIMEOUT_S: Final = 1.0

# Like `   3V3_SYS_V volt(9)=3.31003300V`. The number in parentheses is not the rail's: the two
# lines of a rail have different ones.
_LINE: Final = re.compile(
    r"^[ \t]*(\w{1,40})_(?:A[ \t]+current\(\d{1,3}\)=(-?[\d.]{1,20})A"
    r"|V[ \t]+volt\(\d{1,3}\)=(-?[\d.]{1,20})V)[ \t]*$",
    re.ASCII | re.MULTILINE,
)
_ERROR: Final = re.compile(r'error_msg="([^"]{1,100})"')


def parse(answer: str) -> Reading | Fault:
    """Return the watts of all rails that have both amperes and volts."""
    if error := _ERROR.search(answer):
        return Fault(f'says "{error[1]}": only a Raspberry Pi 5 and its kin measure their power')
    amperes: dict[str, float] = {}
    volts: dict[str, float] = {}
    for rail, current, volt in _LINE.findall(answer):
        try:
            (amperes if current else volts)[rail] = float(current or volt)
        except ValueError:
            return Fault(f"tells no number for the rail {rail}: update the firmware")
    return _power(amperes, volts)


def _power(amperes: Mapping[str, float], volts: Mapping[str, float]) -> Reading | Fault:
    if not amperes:
        return Fault("tells no rail's amperes: update the firmware")
    # Some rails have volts only; one without them means that lines are missing.
    if missing := sorted(amperes.keys() - volts.keys()):
        return Fault(f"tells no volts of {', '.join(missing)}: its answer is not whole")
    return Reading(watts=sum(current * volts[rail] for rail, current in amperes.items()))


class Pmic:
    """Runs `vcgencmd`, 23 ms on a Pi 5."""

    label = "pmic"

    def read(self) -> Reading | Fault:
        command = which("vcgencmd")
        if command is None:
            return Fault("cannot be asked: install vcgencmd (raspi-utils)")
        try:
            done = subprocess.run(
                [command, "pmic_read_adc"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Fault(f"does not answer within {_TIMEOUT_S:g} s: is the firmware hung?")
        except OSError as error:
            return Fault(f"cannot be asked ({error.strerror}): check vcgencmd")
        if done.returncode == 0 or _ERROR.search(done.stdout):
            return parse(done.stdout)
        return Fault(
            f"cannot be asked (vcgencmd exits with {done.returncode}): the node's user needs the"
            " group video"
        )
