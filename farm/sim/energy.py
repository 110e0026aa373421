"""Joules of a simulated farm, attributed as a real gateway attributes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from farm.core.energy import Band, EnergySource
from farm.core.requests import Batch, LedgerEntry
from farm.energy.attribution import Account, Settlement
from farm.energy.charges import FarmWindow, HostWindow
from farm.energy.joules import Joules
from farm.sim.nodes import SimulatedNode

WINDOW_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReport:
    """Joules: all that the boards drew, what of them answered nobody, and what nobody used.

    `settled_j` and `wasted_j` are of batches, `idle_j` of windows in which nothing ran; what is
    left of `drawn_j` went to batches that had not come back at the end.
    """

    drawn_j: float
    settled_j: float
    wasted_j: float
    idle_j: float
    open_j: float


class SimulatedEnergy:
    """Closes windows of virtual time over nodes that all have a power model."""

    def __init__(self, nodes: Mapping[str, SimulatedNode]) -> None:
        self._nodes = nodes
        self._account = Account()
        self._began_at = 0.0
        self._busy_thread_s = dict.fromkeys(nodes, 0.0)
        self._drawn_j = 0.0
        self._settled_j = 0.0
        self._wasted_j = 0.0
        self._idle_j = 0.0

    def dispatched(self, batch: Batch, node_id: str, now: float) -> None:
        """Note a batch that was sent."""
        self._advance(now)
        plan = self._nodes[node_id].plan
        self._account.dispatched(
            batch.id,
            host=node_id,
            node_id=node_id,
            threads=batch.threads or plan.threads_per_slot,
            capacity=plan.capacity,
            now=now,
        )

    def returned(self, entry: LedgerEntry, now: float) -> None:
        """Note a batch that came back."""
        self._advance(now)
        self._account.returned(entry, ran_s=entry.compute_s, now=now)

    def report(self, now: float) -> EnergyReport:
        """Close the last window and add everything up."""
        self._advance(now)
        if now > self._began_at:
            self._close(now)
        return EnergyReport(
            drawn_j=self._drawn_j,
            settled_j=self._settled_j,
            wasted_j=self._wasted_j,
            idle_j=self._idle_j,
            open_j=self._account.open_charge.energy.typical,
        )

    def _advance(self, now: float) -> None:
        while now > self._began_at + WINDOW_S:
            self._close(self._began_at + WINDOW_S)

    def _close(self, end: float) -> None:
        hosts = {
            node_id: self._host(node, end - self._began_at) for node_id, node in self._nodes.items()
        }
        settlement = self._account.close(FarmWindow(start=self._began_at, end=end, hosts=hosts))
        self._began_at = end
        self._count(settlement)

    def _host(self, node: SimulatedNode, seconds: float) -> HostWindow:
        plan = node.plan
        idle_w, load_w = plan.idle_w or 0.0, plan.load_w or 0.0
        busy_s = node.busy_thread_s - self._busy_thread_s[plan.node_id]
        self._busy_thread_s[plan.node_id] = node.busy_thread_s
        joules = idle_w * seconds + (load_w - idle_w) * busy_s / plan.cores
        return HostWindow(
            energy=Joules.of(Band.exactly(joules), EnergySource.MODELLED),
            idle_w=idle_w,
            busy_core_s=busy_s,
        )

    def _count(self, settlement: Settlement) -> None:
        self._drawn_j += settlement.window.energy.typical
        if settlement.idle is not None:
            self._idle_j += settlement.idle.energy.typical
        for batch in settlement.batches:
            joules = batch.usage().joules
            self._settled_j += joules
            self._wasted_j += joules * _wasted_share(batch.entry)


def _wasted_share(entry: LedgerEntry) -> float:
    """Return which part of a batch's work answered nobody."""
    if not entry.rows:
        # Such a request comes alone.
        return float(bool(entry.waste))
    return sum(entry.waste.values()) / entry.rows
