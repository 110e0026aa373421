"""What every batch took, in joules and money, while the farm runs.

Heartbeats tell what hosts draw, the engine which batches run where. A window is closed a
little after its end, when the heartbeats around it are in; then its batches are settled and go
to the ledger. An answer does not wait for that: its receipt is reckoned by the rates of the
window before.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from farm.core.clock import Clock
from farm.core.energy import EnergyReading, Power
from farm.core.errors import ErrorCode
from farm.core.ledger import Incident, IncidentKind, WindowRecord
from farm.core.models import LatencyCurve
from farm.core.nodes import NodeProfile, NodeVitals
from farm.core.requests import Batch, BatchCompleted, InferenceRequest, LedgerEntry
from farm.core.snapshots import EnergyTotals
from farm.energy.attribution import Account, Settlement
from farm.energy.charges import Charge, FarmWindow, Rates
from farm.energy.economics import Economics
from farm.energy.joules import NO_JOULES
from farm.engine.hosts import Hosts
from farm.engine.records import Records, batch_record, usage_of
from farm.engine.thrift import Thrift

# After a window's end, for the heartbeats that tell of it, of which one comes every second.
_LAG_S: Final = 2.0

# So many batches of a window, or a few more, teach what a row takes.
_SAMPLE: Final = 200

# The window that is made up before there was one: too short to weigh against the real one.
_FIRST_S: Final = 0.1


class Accounting:
    """Follows one gateway's batches. Everything here runs on the gateway's loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        economics: Economics,
        hosts: Hosts,
        records: Records,
        window_s: float,
    ) -> None:
        self._clock = clock
        self._economics = economics
        self._hosts = hosts
        self._records = records
        self._window_s = window_s
        self._account = Account()
        self._thrift = Thrift()
        self._began_at = clock.monotonic()
        self._over = False
        self._rates: Rates | None = None
        # What stands in for them before the first window is closed.
        self._first_rates: Rates | None = None
        # Nodes whose meters tell nothing now.
        self._unmetered: set[str] = set()
        # Answers in the window that is open, and a second in the one before.
        self._answered = 0
        self._counted_at = self._began_at
        self._answers_per_s = 0.0
        # Node-seconds of receipts: of the window that is open, and after its end, as it is
        # closed a little later.
        self._reckoned_s = 0.0
        self._reckoned_since_s = 0.0
        # Of all windows that are closed.
        self._totals = Charge()

    def begin(self) -> None:
        """Charge from now on: what was drawn before is the gateway's that served then."""
        self._began_at = self._counted_at = self._clock.monotonic()

    # -- what the fleet hears ---------------------------------------------------------

    def joined(self, profile: NodeProfile) -> None:
        """Note where a node's batches will run."""
        self._hosts.joined(profile)
        self._first_rates = None

    def heard(self, node_id: str, vitals: NodeVitals) -> None:
        """Take a heartbeat."""
        self._hosts.heard(node_id, vitals, self._clock.monotonic())
        fault = self.meter_fault(node_id, vitals)
        if bool(fault) is (node_id in self._unmetered):
            return
        if fault:
            self._unmetered.add(node_id)
            self.went_wrong(IncidentKind.METER_LOST, node_id, fault)
        else:
            self._unmetered.discard(node_id)

    def meter_fault(self, node_id: str, vitals: NodeVitals) -> str:
        """Return why a node's joules are not by its host's meter; nothing where they are."""
        return vitals.meter_fault or self._hosts.doubt(node_id)

    def power(self, node_id: str) -> Power | None:
        """Return what a node's host draws now; None where nothing is known yet."""
        return self._hosts.power(node_id)

    def totals(self) -> EnergyTotals:
        """Return what the farm drew and cost in all windows that are closed."""
        energy = self._totals.energy
        return EnergyTotals(
            measured_j=energy.measured,
            modelled_j=energy.modelled,
            assumed_j=energy.assumed,
            cost=self._totals.cost,
            currency=self._economics.currency or "",
        )

    # -- what the engine does ---------------------------------------------------------

    def dispatched(self, batch: Batch, node_id: str) -> None:
        """Note a batch that was sent."""
        place = self._hosts.find(node_id)
        if place is not None:
            self._account.dispatched(
                batch.id,
                host=place.host,
                node_id=node_id,
                threads=batch.threads or place.threads_per_slot,
                capacity=place.capacity,
                now=self._clock.monotonic(),
            )

    def returned(self, entry: LedgerEntry) -> None:
        """Note a batch that came back, one way or another."""
        # A node that had no room did no work.
        ran_s = 0.0 if entry.outcome == ErrorCode.NODE_BUSY else entry.compute_s
        self._account.returned(entry, ran_s=ran_s, now=self._clock.monotonic())

    def reckon(self, batch: Batch, completed: BatchCompleted) -> tuple[EnergyReading, float | None]:
        """Return what a batch took, as far as it is known now, and what that costs."""
        compute_s = completed.timing.compute_ns / 1e9
        place = self._hosts.find(completed.node_id)
        if place is None:
            return NO_JOULES.reading(compute_s), None
        thread_s = compute_s * (batch.threads or place.threads_per_slot)
        node_s = thread_s / place.capacity
        elapsed_s = self._clock.monotonic() - self._began_at
        if elapsed_s > self._window_s:
            self._reckoned_since_s += node_s
        else:
            self._reckoned_s += node_s
        rates = self._rates or self._presumed()
        return rates.foretell(
            completed.node_id,
            thread_s=thread_s,
            node_s=node_s,
            elapsed_s=elapsed_s,
            among_s=self._reckoned_s + self._reckoned_since_s,
        )

    def answered(self, request: InferenceRequest, latency_s: float, *, response_bytes: int) -> None:
        """Count a request that got its answer."""
        self._answered += 1
        self._records.request(
            request.model,
            request.client,
            code=None,
            latency_s=latency_s,
            in_time=True if request.names_deadline else None,
            request_bytes=request.size_bytes,
            response_bytes=response_bytes,
        )

    def refused(self, request: InferenceRequest, code: ErrorCode, latency_s: float) -> None:
        """Count a request that got an error."""
        named = request.names_deadline and code is not ErrorCode.CANCELLED
        self._records.request(
            request.model,
            request.client,
            code=code,
            latency_s=latency_s,
            in_time=False if named else None,
            request_bytes=request.size_bytes,
            response_bytes=0,
        )

    def reference_s(self, node_id: str, core_s: float) -> float:
        """Return what seconds of a node's core come to on the core that baselines speak of."""
        place = self._hosts.find(node_id)
        return core_s if place is None else place.core.reference_s(core_s)

    def requests_per_s(self) -> float:
        """Return how many requests are answered a second, lately; above 0 once one was."""
        lately_s = self._clock.monotonic() - self._counted_at
        if self._answers_per_s or lately_s <= 0:
            return self._answers_per_s
        return self._answered / lately_s

    def went_wrong(self, kind: IncidentKind, subject: str, detail: str) -> None:
        """Keep an incident."""
        self._records.incident(
            Incident(unix_ns=self._clock.unix_ns(), kind=kind, subject=subject, detail=detail)
        )

    # -- windows ----------------------------------------------------------------------

    def joules_per_row(
        self, node_id: str, ready: Mapping[str, LatencyCurve | None]
    ) -> Mapping[str, float]:
        """Return what a row of each digest takes on a node beyond idle, where it is known."""
        place = self._hosts.find(node_id)
        if place is None:
            return {}
        return self._thrift.joules_per_row(
            node_id,
            ready,
            threads=place.threads_per_slot,
            core_second_j=self._hosts.core_second_j(node_id),
        )

    async def run(self, closed: Callable[[], None]) -> None:
        """Close windows until cancelled; call `closed` after each."""
        while True:
            ends_at = self._began_at + self._window_s
            await asyncio.sleep(max(ends_at + _LAG_S - self._clock.monotonic(), 0.0))
            self.close_window(ends_at)
            closed()

    def finish(self) -> None:
        """Close the last window now; what still runs is nobody's, and nothing is charged after.

        Once is enough: a gateway that leaves its clients to another one leaves it the joules.
        """
        if self._over:
            return
        self.close_window(self._clock.monotonic())
        self._over = True
        left = self._account.abandon()
        if left.energy.typical:
            self._records.window(self._window_record(left, 0.0))

    def close_window(self, ends_at: float) -> None:
        """Charge all until a moment, and hand what is settled to the ledger."""
        if ends_at <= self._began_at or self._over:
            return
        window = self._window(self._began_at, ends_at)
        settlement = self._account.close(window)
        self._count_answers()
        self._began_at = ends_at
        self._reckoned_s, self._reckoned_since_s = self._reckoned_since_s, 0.0
        self._learn(settlement)
        self._totals += Charge(base=window.energy, cost=window.cost)
        self._record(settlement)

    def _count_answers(self) -> None:
        now = self._clock.monotonic()
        # Windows that are closed late are closed at once.
        if now > self._counted_at:
            self._answers_per_s = self._answered / (now - self._counted_at)
            self._answered, self._counted_at = 0, now

    def _learn(self, settlement: Settlement) -> None:
        """Keep the rates of the latest window in which something ran, at the latest price."""
        rates = settlement.rates or self._rates
        if rates is None:
            return
        self._rates = replace(
            rates,
            # A node that did not run in it is foretold by its model.
            marginal={**self._hosts.core_seconds(), **rates.marginal},
            tariff=settlement.window.tariff,
        )

    def _window(self, start: float, end: float) -> FarmWindow:
        seconds = end - start
        return FarmWindow(
            start=start,
            end=end,
            hosts=self._hosts.windows(start, end),
            overhead=self._economics.overhead(seconds),
            tariff=self._price_of_a_joule((start + end) / 2),
            capital=self._hosts.capital(seconds),
        )

    def _price_of_a_joule(self, at: float) -> float | None:
        """Return the tariff at a moment of this clock."""
        tariff = self._economics.tariff
        if tariff is None:
            return None
        return tariff(self._clock.unix_ns() / 1e9 - (self._clock.monotonic() - at))

    def _presumed(self) -> Rates:
        """Return rates by the power models alone, for as long as no window was closed."""
        if self._first_rates is None:
            self._first_rates = Rates(
                seconds=_FIRST_S,
                marginal=self._hosts.core_seconds(),
                base=self._hosts.idle(_FIRST_S) + self._economics.overhead(_FIRST_S),
                node_s=0.0,
                capital=self._hosts.capital(_FIRST_S),
                tariff=self._price_of_a_joule(self._clock.monotonic()),
            )
        return self._first_rates

    def _record(self, settlement: Settlement) -> None:
        unix_ns = self._clock.unix_ns()
        batches = settlement.batches
        for batch in batches[:: len(batches) // _SAMPLE + 1]:
            self._thrift.settled(batch)
        records = (
            batch_record(batch, self._hosts.place(batch.entry.node_id).core, unix_ns)
            for batch in batches
        )
        self._records.batches(records, len(batches))
        window = settlement.window
        idle = settlement.idle or Charge()
        self._records.window(self._window_record(idle, window.end - window.start))

    def _window_record(self, charge: Charge, seconds: float) -> WindowRecord:
        return WindowRecord(
            settled_unix_ns=self._clock.unix_ns(), window_s=seconds, usage=usage_of(charge)
        )
