"""`farm` without energy, cost and ledger: what `benchmarks.energy_cost` compares with."""

import asyncio
from collections.abc import Callable
from typing import Any

from farm.cli.main import main
from farm.engine.accounting import Accounting
from farm.engine.pricing import Price, Pricing

_UNPRICED = Price()


def _unpriced(*_: Any, **__: Any) -> Price:
    return _UNPRICED


def _unreckoned(*_: Any) -> tuple[None, None]:
    return None, None


def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _for_ever(_self: Accounting, _closed: Callable[[], None]) -> None:
    await asyncio.Event().wait()


def take_out() -> None:
    """Leave the gateway of this process without accounting."""
    stubs = {
        "dispatched": _nothing,
        "returned": _nothing,
        "reckon": _unreckoned,
        "answered": _nothing,
        "refused": _nothing,
        "heard": _nothing,
        "run": _for_ever,
    }
    for name, stub in stubs.items():
        setattr(Accounting, name, stub)
    setattr(Pricing, "price", _unpriced)  # noqa: B010 - a method is put in place of another


if __name__ == "__main__":
    take_out()
    main()
