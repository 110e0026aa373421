"""Measured curves on disk: one file for a model's files on a class of nodes.

What a file says is checked before it counts. One that is damaged, or that is about
something else than its name says, is as good as none: the curves are measured again and it
is replaced.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import structlog

from farm.core.errors import ConfigurationError
from farm.core.models import LatencyCurve
from farm.core.nodes import NodeProfile
from farm.repository.durable import write_atomically

_log = structlog.get_logger()

_FORMAT: Final = 1
_MAX_BYTES: Final = 1 << 20
# Files of a folder, a few hundred bytes each.
MAX_FILES: Final = 1_000
_KINDS: Final = {int: "number", str: "string", list: "list", dict: "mapping"}
# No batch takes a day.
_MAX_S: Final = 86_400.0
# What a message to operators can carry, and more rows than any batch has.
_MAX_COUNT: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveKey:
    """What curves hold for: a model's files on a class of nodes.

    `board` is as the firmware names it; where it names none, the host stands for itself.
    """

    digest: str
    board: str
    cpu_class: str
    cores: int
    runtime_version: str
    slots: int
    threads_per_slot: int
    splits: tuple[int, ...]


def curve_key(profile: NodeProfile, digest: str) -> CurveKey:
    """Return under which key a node's curves of a digest are shared with others."""
    named = profile.board not in {"", profile.architecture}
    return CurveKey(
        digest=digest,
        board=profile.board if named else f"{profile.architecture} {profile.host}",
        cpu_class=profile.cpu_class,
        cores=profile.cores,
        runtime_version=profile.runtime_version,
        slots=profile.slots,
        threads_per_slot=profile.threads_per_slot,
        splits=profile.splits,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCurves:
    """A curve for each split that a node measured, and when and where that was.

    Sizes go up to `max_rows` (0 without a batch axis), or as far as there was time for.
    `stored` tells that they were on disk already when this gateway needed them.
    """

    curves: tuple[LatencyCurve, ...]
    max_rows: int
    node_id: str
    measured_unix_ns: int
    stored: bool = False

    def covers(self, max_rows: int) -> bool:
        """Whether they answer for batches of up to `max_rows` rows."""
        return max_rows <= self.max_rows and bool(max_rows) is bool(self.max_rows)


class CurveStore:
    """A folder of curves. With no folder nothing is kept. Any thread may call.

    A cache: what cannot be read or written is said once and otherwise done without. Curves
    of models that were unloaded stay, for most come back; of more than `MAX_FILES` files the
    oldest go.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._complaints: set[tuple[str, str]] = set()

    def read(self, key: CurveKey) -> MeasuredCurves | None:
        """Return the curves of a key, if there are any and their file is sound."""
        path = self._path(key)
        try:
            if path is None or not path.is_file():
                return None
            with path.open("rb") as file:
                return decode_curves_file(file.read(_MAX_BYTES + 1), key)
        except OSError as error:
            self._complain("curves_unreadable", path, error.strerror or type(error).__name__)
        except ConfigurationError as error:
            self._complain("curves_refused", path, f"{error.message}; they are measured again")
        return None

    def write(self, key: CurveKey, measured: MeasuredCurves) -> None:
        """Keep curves in the place of those that were kept for the key before."""
        path = self._path(key)
        if path is None:
            return
        try:
            write_atomically(path, encode_curves_file(key, measured))
            _prune(path.parent)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._complain(
                "curves_not_kept",
                path.parent,
                f"{reason}; they are measured again after a restart. Name a folder that can be"
                " written with curves_dir or FARM_CURVES_DIR",
            )

    def _path(self, key: CurveKey) -> Path | None:
        if self._folder is None:
            return None
        place = sha256(_plain(key).encode()).hexdigest()[:16]
        return self._folder / f"{key.digest[:16]}-{place}.json"

    def _complain(self, event: str, path: Path | None, reason: str) -> None:
        said = (event, str(path))
        if said not in self._complaints:
            self._complaints.add(said)
            _log.warning(event, path=str(path), reason=reason)


def _prune(folder: Path) -> None:
    """Remove the oldest files of a folder that has too many, a tenth of them at once."""
    files = list(folder.glob("*.json"))
    if len(files) <= MAX_FILES:
        return
    ages = []
    for file in files:
        # Another gateway may do the same right now.
        with contextlib.suppress(FileNotFoundError):
            ages.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(ages)[: len(ages) - MAX_FILES * 9 // 10]:
        file.unlink(missing_ok=True)


def encode_curves_file(key: CurveKey, measured: MeasuredCurves) -> bytes:
    """Return the content of a file."""
    document = {
        "format": _FORMAT,
        "key": asdict(key),
        "measured_on": measured.node_id,
        "measured_unix_ns": measured.measured_unix_ns,
        "max_rows": measured.max_rows,
        "curves": [{"threads": c.threads, "points": c.points} for c in measured.curves],
    }
    return f"{json.dumps(document)}\n".encode()


def decode_curves_file(content: bytes, key: CurveKey) -> MeasuredCurves:
    """Return the curves in a file that should be that of `key`.

    Raises:
        ConfigurationError: it is no such file, or not about `key`; the message says where.
    """
    if len(content) > _MAX_BYTES:
        raise ConfigurationError(f"the file is larger than {_MAX_BYTES} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the file is not whole JSON ({error})") from error
    found = _count(document, "format")
    if found != _FORMAT:
        newer = ", of a newer version" if found > _FORMAT else ""
        raise ConfigurationError(f"format is {found}{newer}, and {_FORMAT} is what is read here")
    _check_key(_field(document, "key", dict), key)
    curves = tuple(
        _curve(entry, f"curves[{place}]", key)
        for place, entry in enumerate(_field(document, "curves", list))
    )
    if not curves or len({curve.threads for curve in curves}) < len(curves):
        raise ConfigurationError("curves has none, or two for one number of threads")
    return MeasuredCurves(
        curves=curves,
        max_rows=_count(document, "max_rows"),
        node_id=_field(document, "measured_on", str),
        measured_unix_ns=_count(document, "measured_unix_ns"),
        stored=True,
    )


def _check_key(found: Mapping[str, Any], key: CurveKey) -> None:
    for name, wanted in json.loads(_plain(key)).items():
        if found.get(name) != wanted:
            raise ConfigurationError(
                f"key.{name} is {_shown(found.get(name))}, and its name stands for {wanted!r}"
            )


def _curve(entry: Any, where: str, key: CurveKey) -> LatencyCurve:
    threads = _count(entry, "threads", f"{where}.")
    if threads not in (key.splits or (0,)):
        raise ConfigurationError(f"{where}.threads is {threads}, which is none of {key.splits}")
    points = tuple(
        _point(point, f"{where}.points[{place}]")
        for place, point in enumerate(_field(entry, "points", list, f"{where}."))
    )
    rows = [rows for rows, _ in points]
    if not rows or any(a >= b for a, b in pairwise(rows)):
        raise ConfigurationError(f"{where}.points has no rows, or rows that do not ascend")
    return LatencyCurve(points, threads)


def _point(point: Any, where: str) -> tuple[int, float]:
    match point:
        case [int() as rows, int() | float() as seconds]:
            if 0 < rows <= _MAX_COUNT and 0 < seconds < _MAX_S:
                return int(rows), float(seconds)
    raise ConfigurationError(f"{where} is {_shown(point)}, not rows and seconds above 0")


def _count(document: Any, name: str, where: str = "") -> int:
    value: int = _field(document, name, int, where)
    if value < 0:
        raise ConfigurationError(f"{where}{name} is {value}, which is less than 0")
    if value > _MAX_COUNT:
        raise ConfigurationError(f"{where}{name} is more than {_MAX_COUNT}")
    return value


def _field(document: Any, name: str, kind: type, where: str = "") -> Any:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigurationError(f"{where}{name} is {_shown(value)}, not a {_KINDS[kind]}")
    return value


def _shown(value: Any) -> str:
    plain = isinstance(value, str | int | float | None)
    return f"{value!r:.80}" if plain else f"a {type(value).__name__}"


def _plain(key: CurveKey) -> str:
    return json.dumps(asdict(key), sort_keys=True)
