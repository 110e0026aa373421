"""JSON from strangers: made out of bytes, and looked into without trusting its shape."""

import json
from dataclasses import dataclass

from farm.node.meters.reading import Fault


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document's value."""

    value: object


def decode(body: bytes) -> Document | Fault:
    """Return the JSON document in some bytes."""
    try:
        return Document(json.loads(body))
    except (ValueError, RecursionError):
        kind = "HTML" if body.lstrip()[:1] == b"<" else "something else"
        return Fault(f"answers with {kind} instead of JSON: check its `type` and its `url`")


def at(value: object, *steps: str | int) -> object:
    """Return what is found by keys and by indexes from 0; None where there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and _is_index(step):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _is_index(step: str | int) -> bool:
    text = str(step)
    return text.isascii() and text.isdigit() and len(text) < 10
