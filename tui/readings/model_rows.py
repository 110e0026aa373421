"""The rows of the table of models: a version each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from farm.core.models import ModelState
from farm.core.text import printable
from tui.glyphs import Glyphs
from tui.readings.cell_text import Cell, Role
from tui.readings.names import natural
from tui.readings.quantities import UNKNOWN, count, rate, seconds
from tui.readings.reading import ModelReading, Reading

# Characters of a digest that tell it from all others of a farm.
_DIGEST: Final = 12

_ROLES: Final = {
    ModelState.READY: Role.GOOD,
    ModelState.LOADING: Role.WARNING,
    ModelState.UNLOADING: Role.WARNING,
    ModelState.UNAVAILABLE: Role.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelColumn:
    """A column: its cells, and what rows are sorted by; None is last."""

    title: str
    cell: Callable[[ModelReading, int, Glyphs], Cell]
    value: Callable[[ModelReading], Any]
    right: bool = True
    largest_first: bool = True


def _number(
    title: str,
    value: Callable[[ModelReading], float | None],
    tell: Callable[[float | None], str],
    role: Callable[[float | None], Role] = lambda _: Role.PLAIN,
) -> ModelColumn:
    return ModelColumn(
        title=title,
        cell=lambda version, _nodes, _glyphs: (tell(value(version)), role(value(version))),
        value=value,
    )


def _state(version: ModelReading, _nodes: int, glyphs: Glyphs) -> Cell:
    state = version.model.state
    return f"{glyphs.models[state]} {state}", _ROLES[state]


def _ready(version: ModelReading, nodes: int, _glyphs: Glyphs) -> Cell:
    ready = len(version.model.ready_nodes)
    return f"{ready}/{nodes}", Role.PLAIN if ready == nodes else Role.WARNING


def _version(version: ModelReading, _nodes: int, _glyphs: Glyphs) -> Cell:
    # A model that has no version at all is told as its version 0.
    return str(version.model.key.version or UNKNOWN), Role.PLAIN


def _why(version: ModelReading, _nodes: int, _glyphs: Glyphs) -> Cell:
    model = version.model
    role = _ROLES[model.state] if model.reason else Role.MUTED
    return printable(model.reason or model.batching_reason, 200), role


def _whole(number: float | None) -> str:
    return count(None if number is None else round(number))


def _if_any(number: float | None) -> Role:
    return Role.ERROR if number else Role.PLAIN


COLUMNS: Final = (
    ModelColumn(
        title="model",
        cell=lambda version, _nodes, _glyphs: (printable(version.model.key.name, 40), Role.STRONG),
        value=lambda version: natural(version.model.key.name),
        right=False,
        largest_first=False,
    ),
    ModelColumn(title="v", cell=_version, value=lambda version: version.model.key.version),
    ModelColumn(
        title="state",
        cell=_state,
        value=lambda version: list(ModelState).index(version.model.state),
        right=False,
    ),
    ModelColumn(
        title="nodes",
        cell=_ready,
        value=lambda version: len(version.model.ready_nodes),
        largest_first=False,
    ),
    _number("req/s", lambda version: version.rates.requests_per_s, rate),
    _number("p50", lambda version: version.rates.p50_s, seconds),
    _number("p95", lambda version: version.rates.p95_s, seconds),
    _number("err/s", lambda version: version.rates.failures_per_s, rate, _if_any),
    _number("queue", lambda version: version.model.queued_requests, _whole),
    _number("batch", lambda version: version.rates.batch_rows, rate),
    _number("failed", lambda version: version.model.failures_total, _whole),
    ModelColumn(
        title="digest",
        cell=lambda version, _nodes, _glyphs: (
            printable(version.model.digest[:_DIGEST]) or UNKNOWN,
            Role.MUTED,
        ),
        value=lambda version: version.model.digest,
        right=False,
        largest_first=False,
    ),
    ModelColumn(
        title="why",
        cell=_why,
        value=lambda version: version.model.reason,
        right=False,
    ),
)


def ordered(reading: Reading, by: ModelColumn, *, reverse: bool = False) -> Sequence[ModelReading]:
    """Return the versions by a column; those without a value are last, either way."""
    by_name = sorted(reading.models, key=_name)
    known = [version for version in by_name if by.value(version) is not None]
    unknown = [version for version in by_name if by.value(version) is None]
    known.sort(key=by.value, reverse=by.largest_first is not reverse)
    return [*known, *unknown]


def _name(version: ModelReading) -> tuple[Any, int]:
    return natural(version.model.key.name), -version.model.key.version
