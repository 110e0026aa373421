"""Whether a release's ONNX Runtime works on a host's CPU."""

import json
from dataclasses import dataclass

from playbooks import layout
from playbooks.commands import Result, sh
from playbooks.facts.base import Fact

# A shell's exit code for a program that a signal ended is 128 and the signal's number.
_SIGNALLED = 128
_SIGNALS = {
    4: "illegal instruction",
    6: "aborted",
    7: "bus error",
    9: "killed",
    11: "segmentation fault",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeTrial:
    """ONNX Runtime's `version`, and what was wrong when it ran, "" if it answered rightly."""

    version: str = ""
    failure: str = ""


def _parse(told: Result) -> RuntimeTrial | None:
    if told.exit_code in (126, 127):
        return None
    for line in reversed(told.stdout.splitlines()):
        try:
            said = json.loads(line)
            return RuntimeTrial(version=str(said["onnxruntime"]), failure=str(said["error"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    signal = told.exit_code - _SIGNALLED
    last = (told.stderr.strip().splitlines() or [""])[-1]
    return RuntimeTrial(failure=_SIGNALS.get(signal) or last or "it said nothing")


_PYTHONS = tuple(
    f"{layout.link(service)}/bin/python"
    for service in ("node", *(f"head-{letter}" for letter in layout.LETTERS))
)

# None where no release is in use. A process of its own, which a wheel for another CPU kills;
# not the shell's last command, which the shell would become and take its signal.
RUNTIME = Fact(
    name="runtime",
    command=f"""for python in {sh(*_PYTHONS)}; do
    if [ -x "$python" ]; then break; fi
done
"$python" -I -B -m farm.node.trial
exit $?
""",
    parse=_parse,
)
