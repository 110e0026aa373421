"""What a request took and cost, as its answer says."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, TypeVar

_PREFIX = "farm_"
_Value = TypeVar("_Value")


class ReceiptView(Mapping[str, Any]):
    """What a request took, by the names of the answer's parameters without `farm_`.

    Empty for a server that gives none; the accessors are None for what it leaves out. A
    notebook shows it as a table.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._values = {
            key.removeprefix(_PREFIX): value
            for key, value in sorted(parameters.items())
            if key.startswith(_PREFIX)
        }

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def node(self) -> str | None:
        """Name of the node that ran the request."""
        return self._as(str, "node")

    @property
    def route(self) -> str | None:
        """Where it ran: on this farm, or on another server behind it."""
        return self._as(str, "route")

    @property
    def model_digest(self) -> str | None:
        """Identifies the files of the model that answered."""
        return self._as(str, "model_digest")

    @property
    def batch_size(self) -> int | None:
        """Rows in the batch that it ran in, its own included."""
        return self._as(int, "batch_size")

    @property
    def queue_us(self) -> int | None:
        """Microseconds it waited at the gateway."""
        return self._as(int, "queue_us")

    @property
    def compute_us(self) -> int | None:
        """Microseconds its batch took on the node."""
        return self._as(int, "compute_us")

    @property
    def policy(self) -> str | None:
        """Name of the placement policy that chose the node."""
        return self._as(str, "policy")

    @property
    def energy_j(self) -> float | None:
        """Joules; what they are worth is in the bounds and in `energy_source`."""
        return self._number("energy_j")

    @property
    def energy_low_j(self) -> float | None:
        """Lower bound of the joules."""
        return self._number("energy_low_j")

    @property
    def energy_high_j(self) -> float | None:
        """Upper bound of the joules."""
        return self._number("energy_high_j")

    @property
    def energy_source(self) -> str | None:
        """ "measured", "modelled" or "assumed"."""
        return self._as(str, "energy_source")

    @property
    def energy_provisional(self) -> bool | None:
        """Whether the idle share is still the last window's."""
        return self._as(bool, "energy_provisional")

    @property
    def cost(self) -> float | None:
        """Cost in `currency`."""
        return self._number("cost")

    @property
    def currency(self) -> str | None:
        """Currency of the cost."""
        return self._as(str, "currency")

    @property
    def baseline(self) -> str | None:
        """What the cost is compared with, by its name and date."""
        return self._as(str, "baseline")

    @property
    def baseline_cost(self) -> float | None:
        """What the same request costs there, in `baseline_currency`."""
        return self._number("baseline_cost")

    @property
    def baseline_currency(self) -> str | None:
        """Currency of the baseline's cost: that of the cost, unless the farm has no rate."""
        return self._as(str, "baseline_currency") or self.currency

    def lines(self) -> list[tuple[str, str]]:
        """Return what a person reads: a label and a text each.

        Joules stand beside their band and source. A cost stands beside the baseline that it
        is compared with, and is left out where there is none.
        """
        shown = [
            ("node", self.node),
            ("route", self.route),
            ("model digest", self.model_digest),
            ("rows in the batch", self.batch_size),
            ("queue", _milliseconds(self.queue_us)),
            ("compute", _milliseconds(self.compute_us)),
            ("policy", self.policy),
            ("energy", self._energy()),
            ("cost", self._cost()),
        ]
        known = _SHOWN_TOGETHER
        others = [(key.replace("_", " "), value) for key, value in self.items() if key not in known]
        return [(label, str(value)) for label, value in (*shown, *others) if value is not None]

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self._values.items())
        return f"Receipt({inside})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in self.lines()
        )
        return f"<table><caption>Receipt</caption>{rows or '<tr><td>none given</td></tr>'}</table>"

    def _energy(self) -> str | None:
        if self.energy_j is None:
            return None
        text = f"{self.energy_j:.4g} J"
        if self.energy_low_j is not None and self.energy_high_j is not None:
            text += f" ({self.energy_low_j:.4g} to {self.energy_high_j:.4g} J)"
        text += f", {self.energy_source or 'source not given'}"
        return f"{text}, provisional" if self.energy_provisional else text

    def _cost(self) -> str | None:
        if not self.baseline:
            return None
        here = _money(self.cost, self.currency)
        return f"{here}; {self.baseline}: {_money(self.baseline_cost, self.baseline_currency)}"

    def _as(self, kind: type[_Value], key: str) -> _Value | None:
        value = self._values.get(key)
        return value if type(value) is kind else None

    def _number(self, key: str) -> float | None:
        value = self._values.get(key)
        return (
            float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        )


_SHOWN_TOGETHER = frozenset(
    {
        "node", "route", "model_digest", "batch_size", "queue_us", "compute_us", "policy",
        "energy_j", "energy_low_j", "energy_high_j", "energy_source", "energy_provisional", "cost",
        "currency", "baseline", "baseline_cost", "baseline_currency",
    }
)  # fmt: skip


def _money(amount: float | None, currency: str | None) -> str:
    if amount is None:
        return "unknown"
    return f"{amount:.3g} {currency}" if currency else f"{amount:.3g}"


def _milliseconds(microseconds: int | None) -> str | None:
    return None if microseconds is None else f"{microseconds / 1000:.3f} ms"
