"""Faults as a scenario's file has them."""

from math import inf
from typing import Annotated, Literal

from pydantic import Field

from farm.sim.reading import Above, FromZero, Section

Share = Annotated[float, Field(gt=0, le=1)]


class _Fault(Section):
    """Something that happens to a node at `at_s`, for `for_s` or until the end."""

    node: str
    at_s: FromZero
    for_s: Above = inf


class Die(_Fault):
    """The node's actor dies and, after `for_s`, another joins."""

    kind: Literal["die"]


class Hang(_Fault):
    """The node answers nothing and forgets nothing; an actor that is replaced works again."""

    kind: Literal["hang"]


class Slow(_Fault):
    """Batches take `factor` times as long; `told` tells whether heartbeats say so."""

    kind: Literal["slow"]
    factor: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    told: bool = False


class Flaky(_Fault):
    """A `fraction` of the batches fails at the node."""

    kind: Literal["flaky"]
    fraction: Share


class Lossy(_Fault):
    """A `fraction` of the batches vanishes on the way."""

    kind: Literal["lossy"]
    fraction: Share


class Busy(_Fault):
    """The node refuses every batch, as one that another gateway keeps busy."""

    kind: Literal["busy"]


Fault = Annotated[Die | Hang | Slow | Flaky | Lossy | Busy, Field(discriminator="kind")]


def apart(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return faults of which no two of one kind befall a node at once.

    Both would be over with whichever ends first.

    Raises:
        ValueError: two do; the message says which.
    """
    lasting: dict[tuple[str, str], tuple[float, int]] = {}
    for place, fault in sorted(enumerate(faults), key=lambda item: item[1].at_s):
        until, other = lasting.get((fault.node, fault.kind), (0.0, place))
        if fault.at_s < until:
            lasts = "to the end" if until == inf else f"until {until:g} s"
            raise ValueError(
                f"[{place}].at_s is {fault.at_s:g} s, but [{other}] is '{fault.kind}' of"
                f" {fault.node} too, {lasts}; let one end before the other begins"
            )
        lasting[fault.node, fault.kind] = fault.at_s + fault.for_s, place
    return faults
