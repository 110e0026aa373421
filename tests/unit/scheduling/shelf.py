"""Nodes that do all that is asked of them, in about the time that their curves say."""

from dataclasses import replace
from itertools import count
from math import inf

from harness import Driver

from farm.scheduling.effects import ProbeNode, ReplaceNode
from farm.scheduling.events import Event, NodeHeard, NodeJoined, NodeProbed, TimerFired

HEARTBEAT_S = 1.0
# By how much batches take longer than their curve says, in turn: none end in lockstep.
EXCESSES = (0.0, 0.31, 0.07, 0.19, 0.02)


class Shelf:
    """Drives a machine by its own alarms and by its nodes' answers: no faults from now on.

    Every node is heard each second and answers its probes; one that the machine gives up
    comes back at once under another incarnation.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._restarts = count(1)
        self._beats_at = driver.now
        # Those that were asked before.
        self._next: list[Event] = [
            NodeProbed(node_id=seat.identity[0], incarnation=seat.identity[1], ok=True)
            for seat in driver.referee.seats.values()
            if seat.probed_until is not None
        ]

    def run(self, *, for_s: float) -> None:
        """Go on until nobody waits for an answer and nothing is in flight, or time is up."""
        driver, until = self._driver, self._driver.now + for_s
        while driver.now < until and (driver.referee.unanswered or driver.referee.flights):
            self.step()

    def step(self) -> None:
        """Let time pass until something happens, and tell the machine."""
        driver, seats = self._driver, self._driver.referee.seats
        wake_at = inf if driver.wake_at is None else driver.wake_at
        ends = self._ends()
        if not self._next:
            driver.now = max(driver.now, min([wake_at, self._beats_at, *ends.values()]))
        events, self._next = self._next, []
        events += [driver.finished(batch_id) for batch_id, at in ends.items() if at <= driver.now]
        if self._beats_at <= driver.now:
            self._beats_at = driver.now + HEARTBEAT_S
            events += [
                NodeHeard(node_id=name, incarnation=seat.profile.incarnation)
                for name, seat in seats.items()
            ]
        if wake_at <= driver.now:
            driver.wake_at = None
            events.append(TimerFired())
        known = dict(seats)
        driver.send(*events)
        for effect in driver.last():
            if isinstance(effect, ProbeNode):
                self._next.append(
                    NodeProbed(node_id=effect.node_id, incarnation=effect.incarnation, ok=True)
                )
            elif isinstance(effect, ReplaceNode):
                seat = known[effect.node_id]
                again = replace(seat.profile, incarnation=f"restart {next(self._restarts)}")
                self._next.append(NodeJoined(profile=again, ready=seat.ready))

    def _ends(self) -> dict[int, float]:
        """When each batch that runs will be done."""
        driver = self._driver
        return {
            batch_id: started_at + driver.run_s(batch_id) * (1 + EXCESSES[batch_id % len(EXCESSES)])
            for seat in driver.referee.seats.values()
            for batch_id, started_at in seat.started.items()
        }
