"""Reads a trace that `farm up --record` wrote, and trusts none of it before it is checked."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from farm.core.errors import ConfigurationError
from farm.engine.trace_format import FORMAT, VERSION
from farm.sim.reading import Above, FromZero, Section

Name = Annotated[str, Field(min_length=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]

# A trace is read into memory; a longer line or file is not one of ours.
_MAX_LINE = 1 << 20

# A replay makes the tensors of requests anew: more rows than these no request has.
_MAX_ROWS = 1 << 24


class _Entry(Section):
    """What every line has. Keys that a later farm adds are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    seq: Count
    at: FromZero


Points = tuple[tuple[Annotated[int, Field(ge=1)], Above], ...]


def _ascending(points: Points) -> Points:
    if any(rows >= following for (rows, _), (following, _) in pairwise(points)):
        raise ValueError("rows must ascend")
    return points


class RecordedCurve(Section):
    """A latency curve: rows and seconds."""

    threads: Count
    points: Annotated[Points, Field(min_length=1), AfterValidator(_ascending)]


Curves = Mapping[str, RecordedCurve | None]


class NodeJoinedEntry(_Entry):
    kind: Literal["node_joined"]
    node: Name
    board: str
    cores: Annotated[int, Field(ge=1)]
    slots: Annotated[int, Field(ge=1)]
    threads_per_slot: Annotated[int, Field(ge=1)]
    lookahead: Count
    curves: Curves


class NodeChangedEntry(_Entry):
    kind: Literal["node_changed"]
    node: Name
    curves: Curves | None
    cordoned: bool | None


class NodeLostEntry(_Entry):
    kind: Literal["node_lost"]
    node: Name
    reason: str


class RecordedSpec(Section):
    """How a version was served."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    digest: Name
    max_batch_size: Count
    joins: bool
    max_instances: Count
    max_queue_delay_s: FromZero
    preferred_batch_sizes: tuple[Annotated[int, Field(ge=1)], ...]


class ModelChangedEntry(_Entry):
    kind: Literal["model_changed"]
    model: Name
    version: int
    spec: RecordedSpec | None


class RequestEntry(_Entry):
    kind: Literal["request"]
    id: Count
    model: Name
    version: int
    rows: Annotated[int, Field(ge=0, le=_MAX_ROWS)]
    bytes: Annotated[int, Field(ge=0, le=1 << 30)]
    priority: Annotated[int, Field(ge=0)]
    deadline_s: Finite | None
    queue_timeout_s: Finite | None
    client: str


class ReplyEntry(_Entry):
    kind: Literal["reply"]
    id: Count
    code: str = ""


class BatchEntry(_Entry):
    kind: Literal["batch"]
    node: Name
    digest: Name
    rows: Count
    trigger: str
    outcome: str
    compute_s: FromZero = 0.0
    overhead_s: FromZero = 0.0


Entry = (
    NodeJoinedEntry
    | NodeChangedEntry
    | NodeLostEntry
    | ModelChangedEntry
    | RequestEntry
    | ReplyEntry
    | BatchEntry
)

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def read_trace(file: Path) -> Iterator[Entry]:
    """Yield a trace's entries in order.

    Raises:
        ConfigurationError: it is no trace, of another version, cut off, has gaps, or its time
            runs backwards; the message names the file, the line and the key.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            yield from _entries(file, lines)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not a trace: it is not text") from error


def _entries(file: Path, lines: Any) -> Iterator[Entry]:
    before = 0.0
    number = 0
    # A bounded read: a file without line ends must not be taken into memory whole.
    while line := lines.readline(_MAX_LINE):
        number += 1
        where = f"{file}, line {number}"
        values = _values(where, line, first=number == 1)
        if values.get("seq") != number - 1:
            raise ConfigurationError(
                f"{where}: seq is {values.get('seq')!r}, not {number - 1}: lines are missing; the"
                " recorder could not keep up, or somebody took them out. Record anew"
            )
        if number == 1:
            continue
        entry = _entry(where, values)
        if entry.at < before:
            raise ConfigurationError(
                f"{where}: at is {entry.at:g} s, before the {before:g} s of the line above: time"
                " runs backwards. Lines were moved or changed; record anew"
            )
        before = entry.at
        yield entry
    if number == 0:
        raise ConfigurationError(f"{file} is empty; it is no trace of `farm up --record`")


def _values(where: str, line: str, *, first: bool) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not first and not line.endswith("\n"):
            raise ConfigurationError(
                f"{where}: the line is cut off, the recording was not ended in order; remove that"
                " line to use the rest"
            ) from error
        values = None
    if first and (not isinstance(values, dict) or values.get("format") != FORMAT):
        raise ConfigurationError(
            f"{where}: format is missing or not '{FORMAT}'; this is no trace of `farm up --record`"
        )
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where}: this is not a JSON object")
    if first and values.get("version") != VERSION:
        raise ConfigurationError(
            f"{where}: version is {values.get('version')!r}, this farm reads {VERSION}; replay it"
            " with the farm that recorded it"
        )
    return values


def _entry(where: str, values: dict[str, Any]) -> Entry:
    try:
        return _ENTRY.validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        # The first part of the place is the kind.
        key = ".".join(str(part) for part in problem["loc"][1:]) or "kind"
        raise ConfigurationError(f"{where}: {key}: {problem['msg']}") from error
