"""The catalogue of baselines: the package's own, and a user's file that adds and replaces.

A user's row with a name of the package's is laid over it key by key, so that a measured
`speed_factor` needs no prices; new prices need their own date and source. One of another rule is
a baseline of its own.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

from farm.core.errors import ConfigurationError
from farm.core.text import printable
from farm.energy.baseline_rows import OPINIONS, BaselineRow
from farm.energy.baselines import Baseline
from farm.energy.pricing_rules import EgressRule

_FILE: Final = "baselines.toml"

_Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Baselines by name, in the order of their files."""

    baselines: Mapping[str, Baseline]

    def baseline(self, name: str) -> Baseline:
        """Return a baseline.

        Raises:
            ConfigurationError: there is none of that name; the message has those that there are.
        """
        found = self.baselines.get(name)
        if found is None:
            raise ConfigurationError(
                f"there is no baseline '{printable(name)}'; known are {', '.join(self.baselines)}"
            )
        return found

    @property
    def by_time(self) -> tuple[Baseline, ...]:
        """Those that ask for time, not for tokens or bytes: a farm can be compared with them."""
        return tuple(each for each in self.baselines.values() if each.speed is not None)

    @property
    def egress(self) -> tuple[Baseline, ...]:
        """Those that price the bytes that leave a cloud, and nothing else."""
        return tuple(each for each in self.baselines.values() if isinstance(each.rule, EgressRule))

    def stale(self, today: date) -> tuple[Baseline, ...]:
        """Return those whose prices are too old to be trusted without a word."""
        return tuple(each for each in self.baselines.values() if each.stale(today))


@cache
def shipped_catalogue() -> Catalogue:
    """Return the package's own catalogue."""
    return _catalogue(_shipped_rows(), file=_FILE)


def parse_catalogue(content: bytes, *, file: str) -> Catalogue:
    """Return the package's catalogue with what a user's TOML file adds and replaces.

    Raises:
        ConfigurationError: the content is no catalogue; the message names `file`, row and key.
    """
    rows = dict(_shipped_rows())
    for name, row in _rows(content, file).items():
        shipped = rows.get(name, {})
        if "rule" in row and row["rule"] != shipped.get("rule"):
            # Nothing of the package's row makes sense under another rule.
            rows[name] = row
            continue
        priced = sorted(key for key in row.keys() - OPINIONS if row[key] != shipped.get(key))
        if shipped and priced and not row.keys() >= {"read", "source"}:
            raise ConfigurationError(
                f"{file}: baseline {name}: {printable(priced[0])}: differs from the package's,"
                " so say in read and source when and where it was read"
            )
        rows[name] = {**shipped, **row}
    return _catalogue(rows, file=file)


def _catalogue(rows: _Rows, *, file: str) -> Catalogue:
    def read(name: str, egress: Mapping[str, Baseline]) -> Baseline:
        return BaselineRow(rows[name], name=name, file=file).baseline(egress)

    # What prices the bytes that leave a cloud is read first, for the others name it.
    egress = {name: read(name, {}) for name in rows if rows[name].get("rule") == "egress"}
    found = {name: egress.get(name) or read(name, egress) for name in rows}
    return Catalogue(baselines=found)


@cache
def _shipped_rows() -> _Rows:
    return _rows(files("farm.energy").joinpath("data", _FILE).read_bytes(), _FILE)


def _rows(content: bytes, file: str) -> _Rows:
    """Return a file's rows by name, what is in them unchecked."""
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    # What is no UTF-8 and what is no TOML are both a ValueError; depth is RecursionError's.
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not TOML: {printable(str(error))}") from error
    rows = tables.pop("baseline", [])
    if tables or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(f"{file}: all that a catalogue holds is tables [[baseline]]")
    found: dict[str, Mapping[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        name = row.get("name")
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise ConfigurationError(
                f"{file}: baseline {number}: name: must be text like aws-c7g-large"
            )
        if name in found:
            raise ConfigurationError(f"{file}: baseline {name}: name: is there twice")
        found[name] = row
    return found
