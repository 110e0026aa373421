"""Calibrations on the gateway's disk, one file a kind of board, and the models they make.

A file that is damaged is set aside under another name, and said: it cost an operator minutes
to measure what is in it.
"""

import json
import re
from dataclasses import asdict, fields
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any, Final

import structlog

from farm.core.errors import ConfigurationError
from farm.energy.boards import board, power_model
from farm.energy.calibration import Calibration, CalibrationPoint
from farm.energy.power import PowerModel
from farm.repository.durable import write_atomically

_log = structlog.get_logger()

_FORMAT: Final = 1
_MAX_BYTES: Final = 1 << 16
_SET_ASIDE: Final = ".damaged"


class Calibrations:
    """What is known of each kind of board, from a folder that need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Calibration] = {}
        for path in _files(folder):
            calibration = _read(path)
            if calibration is not None:
                self._known[calibration.board] = calibration

    def model(self, board_key: str) -> PowerModel | None:
        """Return the model of a kind of board that was calibrated, by its `board_key`."""
        found = self._known.get(board_key)
        return found.power if found is not None else None

    def power(self, board_key: str, *, cores: int) -> PowerModel:
        """Return what a board draws: as calibrated, else as published, else assumed."""
        return self.model(board_key) or power_model(board(board_key), cores=cores)

    def learn(self, calibration: Calibration) -> None:
        """Take a calibration in the place of the one before of its kind of board."""
        self._known[calibration.board] = calibration

    def write(self, calibration: Calibration) -> None:
        """Keep a calibration for the next gateway too. Blocks for as long as the disk does.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        try:
            write_atomically(self._folder / _name(calibration.board), encode(calibration))
        except OSError as error:
            raise ConfigurationError(
                "the calibration holds until the gateway stops: its state folder cannot be written"
                f" ({error.strerror}). Free or repair its disk, and calibrate again"
            ) from error


def encode(calibration: Calibration) -> bytes:
    """Return the content of a file."""
    return f"{json.dumps({'format': _FORMAT, **asdict(calibration)}, indent=2)}\n".encode()


def decode(content: bytes) -> Calibration:
    """Return the calibration in a file.

    Raises:
        ConfigurationError: it is no such file; the message says where.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("it is not whole JSON") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ConfigurationError(f"it is not of format {_FORMAT}")
    points = document.get("points")
    if not isinstance(points, list):
        raise ConfigurationError("points is not a list")
    read = tuple(
        CalibrationPoint(**_fields(CalibrationPoint, point, f"points[{place}]."))
        for place, point in enumerate(points)
    )
    calibration = Calibration(**_fields(Calibration, document, "", points=read))
    if not 0 < calibration.idle_w < calibration.load_w:
        raise ConfigurationError("load_w is not above idle_w, or that not above 0")
    return calibration


def _fields(cls: Any, document: Any, where: str, **ready: Any) -> dict[str, Any]:
    """Return what a document has for each field of a class, but those that are `ready`."""
    return ready | {
        field.name: _value(document, field.name, field.type, where)
        for field in fields(cls)
        if field.name not in ready
    }


def _value(document: Any, name: str, kind: Any, where: str) -> Any:
    """Return text, or a number that is not negative."""
    value: Any = document.get(name) if isinstance(document, dict) else None
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ConfigurationError(f"{where}{name} is missing, or no {kind.__name__}")
    if not isinstance(value, str) and not 0 <= value < inf:
        raise ConfigurationError(f"{where}{name} is {value}, which is no such figure")
    return value


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.json"))
    except OSError as error:
        _log.warning("calibrations_unreadable", path=str(folder), reason=error.strerror)
        return []


def _read(path: Path) -> Calibration | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigurationError(f"it is larger than {_MAX_BYTES} bytes")
        return decode(content)
    except OSError as error:
        _log.warning("calibration_unreadable", path=str(path), reason=error.strerror)
    except ConfigurationError as error:
        aside = path.with_name(f"{path.name}{_SET_ASIDE}")
        try:
            path.replace(aside)
        except OSError:
            aside = path
        _log.error(
            "calibration_damaged",
            path=str(aside),
            reason=f"{error.message}; the board is modelled by published figures. Run"
            " `farm calibrate` again",
        )
    return None


def _name(board_key: str) -> str:
    """Return a name that people recognise, and that no two boards share."""
    plain = re.sub(r"[^a-z0-9.+-]+", "-", board_key.lower()).strip("-.")[:40]
    return f"{plain}-{sha256(board_key.encode()).hexdigest()[:8]}.json"
