"""The parts of a gateway that reckon with joules and money, wired together."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from farm.config import FarmConfig, PowerConfig
from farm.core.clock import Clock
from farm.core.errors import ConfigurationError
from farm.core.events import Happening
from farm.core.terms import FarmTerms
from farm.energy.baselines import Baseline
from farm.energy.economics import Economics
from farm.energy.terms import farm_terms
from farm.engine.accounting import Accounting
from farm.engine.calibration_store import Calibrations
from farm.engine.hosts import Hosts
from farm.engine.ledger.ledger import Ledger
from farm.engine.ledger.retention import Retention
from farm.engine.pricing import Pricing
from farm.engine.records import Unkept

_log = structlog.get_logger()


class Economy:
    """What one gateway's answers take and cost, and where that is kept."""

    def __init__(
        self,
        config: FarmConfig,
        economics: Economics,
        *,
        ledger_dir: Path,
        calibrations_dir: Path,
        clock: Clock,
        tell: Callable[[Happening], None],
    ) -> None:
        """Wire the parts; nothing is opened yet. Any thread may `tell` what befalls the ledger."""
        self._power = config.power
        self._economics = economics
        self.ledger = _ledger(config, ledger_dir, economics, clock, tell)
        self.calibrations = Calibrations(calibrations_dir)
        self.hosts = Hosts(economics.hosts, boards=self.calibrations.power)
        self.accounting = Accounting(
            clock=clock,
            economics=economics,
            hosts=self.hosts,
            records=self.ledger or Unkept(),
            window_s=config.power.window_s,
        )
        self.pricing = Pricing(
            currency=economics.currency,
            baseline=_baseline(config.power, clock),
            exchange=config.power.exchange(),
            requests_per_s=self.accounting.requests_per_s,
            reference_s=self.accounting.reference_s,
        )

    def terms(self, since_s: float, until_s: float) -> FarmTerms:
        """Return the terms under which the farm ran for a time, in Unix seconds."""
        grid = self._power.grid
        return farm_terms(
            self._economics,
            machines=self.hosts.machines,
            grid=None if grid is None else grid.grid(),
            exchange=self._power.exchange(),
            since_s=since_s,
            until_s=until_s,
        )

    def ledger_drops(self) -> int | None:
        """Return how many records were lost; None where none are kept. From any thread."""
        return None if self.ledger is None else self.ledger.drops

    def open(self) -> None:
        """Begin to keep what happens."""
        if self.ledger is not None:
            self.ledger.open()

    async def close(self) -> None:
        """Settle what can be settled and keep it."""
        self.accounting.finish()
        if self.ledger is not None:
            await asyncio.to_thread(self.ledger.close)


def _ledger(
    config: FarmConfig,
    folder: Path,
    economics: Economics,
    clock: Clock,
    tell: Callable[[Happening], None],
) -> Ledger | None:
    kept = config.ledger
    if not kept.enabled:
        return None
    retention = Retention(
        batch_days=kept.batch_days, minute_days=kept.minute_days, max_bytes=kept.max_bytes
    )
    return Ledger(
        folder / "ledger.db",
        clock=clock,
        currency=economics.currency,
        retention=retention,
        tell=tell,
    )


def _baseline(power: PowerConfig, clock: Clock) -> Baseline | None:
    """Return what receipts compare with; a catalogue that is wrong stops no gateway."""
    try:
        baseline = power.receipt_baseline()
    except ConfigurationError as error:
        _log.error("no_baseline", reason=error.message)
        return None
    today = datetime.fromtimestamp(clock.unix_ns() / 1e9, UTC).date()
    if baseline is not None and baseline.stale(today):
        _log.warning(
            "stale_baseline",
            baseline=baseline.name,
            read=baseline.read.isoformat(),
            age_days=baseline.age_days(today),
        )
    return baseline
