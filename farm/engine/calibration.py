"""Finds out what the boards of a kind draw, by the meter of one host that has such a board."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Final

import structlog

from farm.core.clock import Clock
from farm.core.errors import (
    ConfigurationError,
    InvalidRequestError,
    NodeBusyError,
    NodeLostError,
    UnreachableError,
)
from farm.core.nodes import NodeState
from farm.core.pool import WorkerPool
from farm.energy.calibration import LOADS, fitted
from farm.engine.calibration_store import Calibrations
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.hosts import Hosts
from farm.engine.load_steps import CalibrationPhase, CalibrationProgress, LoadSteps
from farm.engine.members import Member

_log = structlog.get_logger()

# Of each step, where nobody says otherwise: a smart plug tells a board's watts coarsely.
STEP_S: Final = 30.0
SHORTEST_STEP_S: Final = 1.0
LONGEST_STEP_S: Final = 300.0


class Calibrator:
    """Calibrates one host at a time, or several hosts side by side."""

    def __init__(
        self,
        *,
        pool: WorkerPool,
        engine: Engine,
        fleet: Fleet,
        hosts: Hosts,
        calibrations: Calibrations,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._fleet = fleet
        self._hosts = hosts
        self._calibrations = calibrations
        self._clock = clock
        self._busy: set[str] = set()

    async def calibrate(
        self, name: str, *, step_s: float = STEP_S
    ) -> AsyncGenerator[CalibrationProgress, None]:
        """Calibrate the board of a host, named as such or by one of its nodes.

        Its nodes take no batches until this generator has ended. Yields at each heartbeat.

        Raises:
            InvalidRequestError: the farm has no such host, or a step cannot take so long.
            ConfigurationError: it has no meter, or what that told makes no model.
            NodeBusyError: it is being calibrated already, or does not come to rest.
            NodeLostError: a node of it is not up, or went away.
            UnreachableError: a node, or the meter, told nothing any more, or nothing that its
                board can draw.
        """
        if not SHORTEST_STEP_S <= step_s <= LONGEST_STEP_S:
            raise InvalidRequestError(
                f"a step takes {SHORTEST_STEP_S:g} to {LONGEST_STEP_S:g} s, not {step_s:g}"
            )
        members = self._members(name)
        host = self._hosts.place(members[0].node_id).host
        teller = _teller(host, members)
        if doubt := self._hosts.doubt(teller.node_id):
            raise UnreachableError(f"the meter of host '{host}' is not believed: {doubt}")
        if host in self._busy:
            raise NodeBusyError(f"host '{host}' is being calibrated already; wait for its end")
        self._busy.add(host)
        _mark(members, calibrating=True)
        run = LoadSteps(
            pool=self._pool,
            engine=self._engine,
            clock=self._clock,
            host=host,
            members=members,
            teller=teller,
            step_s=step_s,
        )
        try:
            try:
                async with aclosing(run.points()) as steps:
                    async for step in steps:
                        yield step
            finally:
                await run.release()
            yield await self._conclude(host, run)
        finally:
            self._busy.discard(host)
            _mark(members, calibrating=False)

    def _members(self, name: str) -> list[Member]:
        """Return the nodes of a host, by its name or by that of one of them."""
        up = {
            member.node_id: self._hosts.place(member.node_id).host
            for member in self._fleet.members.values()
            if member.profile is not None
        }
        host = up.get(name, name)
        members = [self._fleet.members[node_id] for node_id, its in up.items() if its == host]
        if not members:
            if name in self._fleet.members:
                raise NodeLostError(f"node '{name}' has not come up yet; see `farm nodes ls`")
            known = ", ".join(sorted({*up.values(), *self._fleet.members}))
            raise InvalidRequestError(f"the farm has no host '{name}'; it has {known}")
        for member in members:
            if member.state is not NodeState.READY:
                raise NodeLostError(
                    f"node '{member.node_id}' of host '{host}' is {member.state}; a host is"
                    " calibrated while all of its nodes are up and have their models"
                )
        return members

    async def _conclude(self, host: str, run: LoadSteps) -> CalibrationProgress:
        """Fit what was measured, and let the farm reckon with it."""
        calibration = fitted(
            run.done,
            board=self._hosts.place(run.teller.node_id).board,
            host=host,
            meter=run.meter,
            measured_unix_ns=self._clock.unix_ns(),
        )
        self._calibrations.learn(calibration)
        self._hosts.calibrated(calibration.board)
        warning = ""
        try:
            await asyncio.to_thread(self._calibrations.write, calibration)
        except ConfigurationError as error:
            warning = error.message
        _log.info(
            "calibrated",
            board=calibration.board,
            host=host,
            idle_w=round(calibration.idle_w, 3),
            load_w=round(calibration.load_w, 3),
            rmse_w=round(calibration.rmse_w, 3),
        )
        return CalibrationProgress(
            phase=CalibrationPhase.DONE,
            load=LOADS[-1],
            points=calibration.points,
            calibration=calibration,
            warning=warning,
        )


def _mark(members: Iterable[Member], *, calibrating: bool) -> None:
    for member in members:
        member.calibrating = calibrating


def _teller(host: str, members: Sequence[Member]) -> Member:
    """Return the node that tells of the host's meter.

    Raises:
        ConfigurationError: none has one.
        UnreachableError: it tells nothing now.
    """
    metered = [m for m in members if m.vitals is not None and m.vitals.meter]
    for member in metered:
        if member.vitals is not None and member.vitals.power_w is not None:
            return member
    faults = {m.vitals.meter_fault for m in metered if m.vitals is not None} - {""}
    if metered:
        raise UnreachableError(
            f"the meter of host '{host}' tells nothing now"
            f"{': ' if faults else ''}{'; '.join(sorted(faults))}"
        )
    raise ConfigurationError(
        f"host '{host}' has no power meter, and a board is calibrated by one; name it in the"
        " inventory (meter: {type: ...}) or in the node's settings"
    )
