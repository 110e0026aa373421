"""Takes a host through the loads of a calibration: set aside, at rest, then busier and busier.

The nodes themselves say that they take no batches while they are under an exercise, and an
exercise ends by its time. So whatever becomes of this gateway, they serve again.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from farm.core.clock import Clock
from farm.core.errors import FarmError, NodeBusyError, NodeLostError, UnreachableError
from farm.core.nodes import NodeVitals
from farm.core.pool import WorkerPool
from farm.energy.calibration import LOADS, Calibration, CalibrationPoint, Tally
from farm.engine.engine import Engine
from farm.engine.members import Member

_log = structlog.get_logger()

# Heartbeats after a load began in which clocks, cores and a meter's own mean settle. What it
# tells is of that load once it was asked after them.
SETTLING: Final = 4

# Heartbeats in a row in which a meter tells nothing: it is gone.
_MUTE: Final = 10

# A batch may take long; of a heartbeat there is one a second.
_IDLE_S: Final = 120.0
_SILENT_S: Final = 10.0

# Beyond what a step needs, for heartbeats that come late and a meter that pauses.
_SLACK_S: Final = 30.0

_RELEASE_S: Final = 5.0


class CalibrationPhase(StrEnum):
    """What is done now."""

    WAITING = "waiting"
    SETTLING = "settling"
    MEASURING = "measuring"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationProgress:
    """How far it is: at which load, what was measured at it, and the points that are done.

    The last one has the `calibration`, and a `warning` if it could not be kept on disk.
    """

    phase: CalibrationPhase
    load: float = 0.0
    present: CalibrationPoint | None = None
    points: tuple[CalibrationPoint, ...] = ()
    calibration: Calibration | None = None
    warning: str = ""


class LoadSteps:
    """One host's way: `done` has the points so far, `teller` is the node that has the meter."""

    def __init__(
        self,
        *,
        pool: WorkerPool,
        engine: Engine,
        clock: Clock,
        host: str,
        members: Sequence[Member],
        teller: Member,
        step_s: float,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._clock = clock
        self._host = host
        self._members = members
        self._step_s = step_s
        self._incarnations = {member.node_id: member.incarnation for member in members}
        self._settling = SETTLING + math.ceil(_interval_s(teller))
        self.teller = teller
        self.meter = teller.vitals.meter if teller.vitals is not None else ""
        self.done: list[CalibrationPoint] = []

    async def points(self) -> AsyncGenerator[CalibrationProgress, None]:
        """Take the points of all loads, telling how far that is."""
        await self._exercise(0.0, _IDLE_S + _SLACK_S)
        give_up_at = self._clock.monotonic() + _IDLE_S
        yield CalibrationProgress(phase=CalibrationPhase.WAITING)
        while not await self._at_rest():
            yield CalibrationProgress(phase=CalibrationPhase.WAITING)
            if self._clock.monotonic() > give_up_at:
                raise NodeBusyError(
                    f"host '{self._host}' still runs batches after {_IDLE_S:g} s; try again when"
                    " it has less to do"
                )
        for load in LOADS:
            async with aclosing(self._measure(load)) as steps:
                async for step in steps:
                    yield step

    async def release(self) -> None:
        """Let the nodes take batches again."""
        try:
            async with asyncio.timeout(_RELEASE_S):
                await self._exercise(0.0, 0.0)
        except (FarmError, TimeoutError) as error:
            # Their exercise ends by its own time.
            _log.warning("calibration_not_released", host=self._host, reason=str(error))

    async def _measure(self, load: float) -> AsyncGenerator[CalibrationProgress, None]:
        bound_s = self._settling + self._step_s + _SLACK_S
        # A heartbeat that comes late must not tell of a load that is over.
        await self._exercise(load, bound_s + _SILENT_S)
        give_up_at = self._clock.monotonic() + bound_s
        for _ in range(self._settling):
            vitals = await self._heartbeat(self.teller)
            yield self._progress(CalibrationPhase.SETTLING, load)
        tally, mute = Tally(load, vitals), 0
        while tally.seconds < self._step_s:
            vitals = await self._heartbeat(self.teller)
            mute = 0 if tally.add(vitals) else mute + 1
            if mute >= _MUTE or self._clock.monotonic() > give_up_at:
                fault = f": {vitals.meter_fault}" if vitals.meter_fault else ""
                raise UnreachableError(
                    f"the meter of host '{self._host}' told of {tally.seconds:.0f} s of"
                    f" {self._step_s:g} s and then no more{fault}"
                )
            present = tally.point if tally.seconds else None
            yield self._progress(CalibrationPhase.MEASURING, load, present)
        self.done.append(tally.point)

    def _progress(
        self, phase: CalibrationPhase, load: float, present: CalibrationPoint | None = None
    ) -> CalibrationProgress:
        return CalibrationProgress(phase=phase, load=load, present=present, points=tuple(self.done))

    async def _exercise(self, load: float, seconds: float) -> None:
        """Let the teller's host be loaded, and keep its other nodes aside for as long."""
        await asyncio.gather(
            *(
                self._pool.exercise(
                    member.node_id, load=load if member is self.teller else 0.0, seconds=seconds
                )
                for member in self._members
            )
        )

    async def _at_rest(self) -> bool:
        """Whether no node runs anything, as each of them says in its next heartbeat."""
        beats = await asyncio.gather(*map(self._heartbeat, self._members))
        return all(vitals.cordoned and not vitals.slots_busy for vitals in beats) and not any(
            self._engine.machine.inflight_at(member.node_id) for member in self._members
        )

    async def _heartbeat(self, member: Member) -> NodeVitals:
        try:
            async with asyncio.timeout(_SILENT_S):
                vitals = await member.heartbeat()
        except TimeoutError as error:
            raise UnreachableError(
                f"node '{member.node_id}' told nothing for {_SILENT_S:g} s; see with"
                " `farm nodes ls` whether it is up"
            ) from error
        if vitals.incarnation != self._incarnations[member.node_id]:
            raise NodeLostError(
                f"node '{member.node_id}' was started anew meanwhile; calibrate its host again"
            )
        return vitals


def _interval_s(member: Member) -> float:
    """Return how often a node that is up asks its meter."""
    return member.profile.meter_interval_s if member.profile is not None else 1.0
