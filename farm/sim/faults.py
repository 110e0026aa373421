"""Faults: what befalls nodes, begun and ended at their times.

Those of different kinds add up on a node: one that hangs while it is slow is slow when it
goes on. Only an actor that lives can hang or die, and one that takes its place does not hang;
everything else lasts whichever actor the node has.
"""

from math import inf

from farm.sim.pool import SimulatedPool
from farm.sim.setup import FaultKind, FaultPlan
from farm.sim.timeline import Timeline


class Faults:
    """Brings a setup's faults over a pool's nodes."""

    def __init__(
        self, plans: tuple[FaultPlan, ...], *, pool: SimulatedPool, timeline: Timeline
    ) -> None:
        self._pool = pool
        # One that ends when another of its kind begins ends first.
        for plan in sorted(plans, key=lambda plan: plan.at_s):
            timeline.at(plan.at_s, self._begin, plan)
            if plan.for_s < inf:
                timeline.at(plan.at_s + plan.for_s, self._end, plan)

    def _begin(self, plan: FaultPlan) -> None:
        node = self._pool.nodes[plan.node_id]
        match plan.kind:
            case FaultKind.DIE:
                node.away += 1
                if node.up:
                    self._pool.kill(node, "its actor died")
            case FaultKind.HANG if node.up:
                node.hung = True
            case FaultKind.SLOW:
                node.slow_factor, node.slow_told = plan.factor, plan.told
            case FaultKind.FLAKY:
                node.flaky_fraction = plan.fraction
            case FaultKind.LOSSY:
                node.lossy_fraction = plan.fraction
            case FaultKind.BUSY:
                node.busy = True

    def _end(self, plan: FaultPlan) -> None:
        node = self._pool.nodes[plan.node_id]
        match plan.kind:
            case FaultKind.DIE:
                node.away -= 1
                self._pool.revive(node)
            case FaultKind.HANG if node.hung:
                node.thaw()
            case FaultKind.SLOW:
                node.slow_factor = 1.0
            case FaultKind.FLAKY:
                node.flaky_fraction = 0.0
            case FaultKind.LOSSY:
                node.lossy_fraction = 0.0
            case FaultKind.BUSY:
                node.busy = False
