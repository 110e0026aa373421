"""One row of a catalogue of baselines, checked key by key."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import date, datetime
from typing import Any, Final

from farm.core.currencies import currency_problem
from farm.core.energy import EnergySource
from farm.core.errors import ConfigurationError
from farm.core.text import printable
from farm.energy.baselines import Baseline, PricingRule, Speed
from farm.energy.pricing_rules import (
    ContainerRule,
    EgressRule,
    FunctionRule,
    InstanceRule,
    TokenRule,
)

_RULES: Final[Mapping[str, type]] = {
    "function": FunctionRule,
    "container": ContainerRule,
    "instance": InstanceRule,
    "tokens": TokenRule,
    "egress": EgressRule,
}

# Those by which time costs, which is nothing without an assumption of speed.
_TIMED: Final = ("function", "container", "instance")
_SPEED: Final = ("speed_factor", "speed_basis", "speed_note")
_BASES: Final = (EnergySource.MEASURED, EnergySource.ASSUMED)

_TOKENS: Final = ("input_tokens", "output_tokens")

# What a row may say differently from the package's and have its prices still.
OPINIONS: Final = frozenset({"name", "read", "source", "leaves_out", *_SPEED, *_TOKENS})


class BaselineRow:
    """Reads a row. Every method raises ConfigurationError with file, row, key and reason."""

    def __init__(self, values: Mapping[str, Any], *, name: str, file: str) -> None:
        self._values = values
        self._name = name
        self._file = file
        self._used = {"name"}

    def baseline(self, egress: Mapping[str, Baseline]) -> Baseline:
        """Return the row as a baseline; `egress` has those that price what leaves a cloud."""
        rule_name = self._one_of("rule", tuple(_RULES))
        currency = self._text("currency")
        if problem := currency_problem(currency):
            raise self._wrong("currency", problem)
        baseline = Baseline(
            name=self._name,
            provider=self._text("provider"),
            service=self._text("service"),
            region=self._text("region"),
            currency=currency,
            read=self._date("read"),
            source=self._text("source"),
            rule=self._rule(_RULES[rule_name]),
            speed=self._speed() if rule_name in _TIMED else None,
            egress=self._egress(currency, egress),
            leaves_out=self._text("leaves_out", default=""),
        )
        for key in self._values:
            if key not in self._used:
                raise self._wrong(printable(key), f"rule {rule_name} has no such key")
        return baseline

    def _rule(self, form: type) -> PricingRule:
        values: dict[str, Any] = {}
        for each in fields(form):
            if each.name == "tiers":
                values[each.name] = self._tiers(each.name)
            elif each.name in self._values or each.default is MISSING:
                values[each.name] = self._number(each)
        rule: PricingRule = form(**values)
        return rule

    def _number(self, field: Field[Any]) -> float:
        """Return a price or tokens, which may be 0, a share of 1 at most, or a size above 0."""
        key = field.name
        value = self._value(key)
        if not _is_number(value):
            raise self._wrong(key, f"must be a number, not {_shown(value)}")
        if key.startswith("price_") or key in _TOKENS:
            if value < 0:
                raise self._wrong(key, f"is {value:g} and must not be negative")
        elif value <= 0:
            raise self._wrong(key, f"is {value:g} and must be above 0")
        if key.endswith("_share") and value > 1:
            raise self._wrong(key, f"is {value:g}, and a share is at most 1")
        return float(value)

    def _tiers(self, key: str) -> tuple[tuple[float, float], ...]:
        value = self._value(key)
        example = "like [[10240, 0.09], [inf, 0.05]]: up to so many GB a month, price of a GB"
        if not isinstance(value, list) or not value:
            raise self._wrong(key, f"must be pairs {example}")
        tiers = []
        below = 0.0
        for pair in value:
            if not isinstance(pair, list) or len(pair) != 2:
                raise self._wrong(key, f"must be pairs {example}")
            to_gb, price = pair
            if not (_is_number(price) and price >= 0):
                raise self._wrong(key, f"has {_shown(price)} for a price")
            if not (_is_number(to_gb) or to_gb == math.inf) or to_gb <= below:
                raise self._wrong(key, f"has {_shown(to_gb)} after {below:g}; it must rise")
            tiers.append((float(to_gb), float(price)))
            below = to_gb
        if below != math.inf:
            raise self._wrong(key, f"ends at {below:g}; the last pair goes up to inf")
        return tuple(tiers)

    def _speed(self) -> Speed:
        factor = self._value("speed_factor")
        if not _is_number(factor) or factor <= 0:
            raise self._wrong("speed_factor", f"must be a number above 0, not {_shown(factor)}")
        return Speed(
            factor=float(factor),
            basis=EnergySource(self._one_of("speed_basis", _BASES)),
            note=self._text("speed_note"),
        )

    def _egress(self, currency: str, known: Mapping[str, Baseline]) -> PricingRule | None:
        name = self._text("egress", default="")
        if not name:
            return None
        found = known.get(name)
        if found is None:
            raise self._wrong("egress", f"there is no baseline '{name}' of rule egress")
        if found.currency != currency:
            raise self._wrong("egress", f"'{name}' is in {found.currency}, this in {currency}")
        return found.rule

    def _date(self, key: str) -> date:
        value = self._value(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self._wrong(key, f"must be a date like 2026-11-01, not {_shown(value)}")
        return value

    def _one_of(self, key: str, known: tuple[str, ...]) -> str:
        value = self._text(key)
        if value not in known:
            raise self._wrong(key, f"there is no '{value}'; known are {', '.join(known)}")
        return value

    def _text(self, key: str, default: str | None = None) -> str:
        value = self._value(key) if default is None else self._values.get(key, default)
        self._used.add(key)
        if not isinstance(value, str) or not (value.strip() or default == value):
            raise self._wrong(key, f"must be text, not {_shown(value)}")
        return printable(value, most=200)

    def _value(self, key: str) -> Any:
        self._used.add(key)
        if key not in self._values:
            raise self._wrong(key, "is missing; without it nothing is compared with this baseline")
        return self._values[key]

    def _wrong(self, key: str, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self._file}: baseline {self._name}: {key}: {reason}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    return printable(repr(value), most=40)
