"""Any meter that answers with JSON over HTTP and has its watts at a known place there."""

import re
from typing import Final

from farm.node.meters.json_documents import at
from farm.node.meters.network import Question
from farm.node.meters.reading import Fault, Reading, number

# Home automation likes to write numbers as texts.
_DECIMAL: Final = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,12})?", re.ASCII)


def questions(watts_at: str) -> tuple[Question, ...]:
    """Return what to ask at the URL itself; `watts_at` is like `meter.0.power`."""
    return (Question("", lambda document: parse(document, watts_at)),)


def parse(document: object, watts_at: str) -> Reading | Fault:
    """Return the reading in a JSON document."""
    value = at(document, *watts_at.split("."))
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return Reading(watts=float(value))
    watts = number(value)
    if watts is None:
        what = "nothing" if value is None else f"{value!r:.40}"
        return Fault(f"has {what} at {watts_at}, where watts should be: correct `watts_at`")
    return Reading(watts=watts)
