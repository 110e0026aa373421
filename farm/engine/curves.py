"""Measures what batches of each model cost on each class of nodes, once there is time for it.

A model serves before its curves are known; until then the machine goes by what it observes.
One node of a class measures for all of them. Nodes on one host share its cores, so they
measure one after the other; different hosts measure different models at once. A model is
measured split by split, and versions that a node is to have come between.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from farm.core.clock import Clock
from farm.core.errors import FarmError, ModelUnavailableError, NodeLostError
from farm.core.models import LatencyCurve
from farm.core.nodes import NodeProfile
from farm.core.pool import WorkerPool
from farm.engine.curve_store import CurveKey, MeasuredCurves, curve_key
from farm.engine.fleet import Fleet
from farm.engine.known_curves import KnownCurves
from farm.engine.members import Member
from farm.engine.splits import Demand

_log = structlog.get_logger()

# When one row took as long as this, on the splits that were measured together, what is left
# of a model's splits is not: it would keep the node's cores from its requests for longer still.
_MAX_RUNS_S = 8.0


@dataclass(frozen=True, slots=True)
class _Gap:
    """Curves that a node lacks. `profile` is that of the incarnation that lacks them."""

    member: Member
    profile: NodeProfile
    digest: str

    @property
    def key(self) -> CurveKey:
        return curve_key(self.profile, self.digest)


class Curves:
    """Fills in the curves that nodes still lack, in the background."""

    def __init__(self, *, pool: WorkerPool, fleet: Fleet, known: KnownCurves, clock: Clock) -> None:
        self._pool = pool
        self._fleet = fleet
        self._known = known
        self._clock = clock
        self._demands: Mapping[str, Demand] = {}
        # Hosts on which something is measured now, and what.
        self._busy: set[str] = set()
        self._measuring: set[CurveKey] = set()
        # What must be measured although it is known, and why that failed, if it did.
        self._stale: dict[CurveKey, str] = {}
        self._progress = asyncio.Condition()

    async def run(self) -> None:
        """Measure whatever appears, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._fleet.changed.clear()
                self._follow_demands()
                async with self._progress:
                    self._progress.notify_all()
                waiting = [_host(m) for m in self._fleet.ready_members() if m.unmeasured]
                for host in dict.fromkeys(waiting):
                    if host not in self._busy and self._next(host) is not None:
                        self._busy.add(host)
                        group.create_task(self._serve_host(host), name=f"measure {host}")
                await self._fleet.changed.wait()

    async def remeasure(self, digest: str) -> None:
        """Measure a digest anew, on one node of every class that serves it.

        Raises:
            ModelUnavailableError: no node serves it, or it could not be measured on some class.
        """
        keys = set()
        for member in self._fleet.ready_members():
            if member.profile is not None and digest in member.ready:
                keys.add(curve_key(member.profile, digest))
                member.unmeasured.add(digest)
        if not keys:
            raise ModelUnavailableError("no node serves it now; load it first")
        self._stale.update(dict.fromkeys(keys, ""))
        self._fleet.changed.set()
        async with self._progress:
            await self._progress.wait_for(lambda: not self._pending(digest))
        failed = {reason for key in keys if (reason := self._stale.pop(key, None)) is not None}
        if failed:
            why = "; ".join(sorted(failed - {""})) or "the nodes went away"
            raise ModelUnavailableError(f"it could not be measured: {why}")

    def _pending(self, digest: str) -> bool:
        return any(key.digest == digest for key in self._measuring) or any(
            digest in member.unmeasured for member in self._fleet.ready_members()
        )

    # -- measuring ------------------------------------------------------------------------

    async def _serve_host(self, host: str) -> None:
        try:
            while (gap := self._next(host)) is not None:
                await self._fill(gap)
        finally:
            self._busy.discard(host)

    def _next(self, host: str) -> _Gap | None:
        """Return what to fill in next on a host: nothing that another one measures now."""
        for member in self._fleet.ready_members():
            if member.profile is not None and _host(member) == host:
                for digest in sorted(member.unmeasured):
                    gap = _Gap(member, member.profile, digest)
                    if gap.key not in self._measuring:
                        return gap
        return None

    async def _fill(self, gap: _Gap) -> None:
        key = gap.key
        gap.member.unmeasured.discard(gap.digest)
        self._measuring.add(key)
        try:
            if key not in self._stale and await self._known.find(gap.profile, gap.digest):
                self._apply(gap.member, gap.digest)
                return
            await self._measure(gap)
            for member in self._fleet.ready_members():
                self._apply(member, gap.digest)
        finally:
            self._measuring.discard(key)
            # Nodes of the same class were waiting for this, and whoever wanted it anew.
            self._fleet.changed.set()

    async def _measure(self, gap: _Gap) -> None:
        """Have a node measure a digest, unless no version is made of it any more."""
        node_id, key = gap.member.node_id, gap.key
        wanted = self._known.demand(gap.digest)
        if wanted is None:
            return
        try:
            curves = await self._measure_splits(gap)
        except NodeLostError:
            return
        except FarmError as error:
            _log.warning("measure_failed", node=node_id, reason=error.message)
            self._explain(key, error.message)
            return
        if not curves:
            self._explain(key, "sample rows do not run on it")
            return
        measured = MeasuredCurves(
            curves=tuple(curve.scaled(_speed(gap.member)) for curve in curves),
            max_rows=wanted.max_rows,
            node_id=node_id,
            measured_unix_ns=self._clock.unix_ns(),
        )
        self._stale.pop(key, None)
        await self._known.keep(gap.profile, gap.digest, measured)
        _log.debug("curves_measured", node=node_id, digest=gap.digest, splits=len(curves))

    async def _measure_splits(self, gap: _Gap) -> tuple[LatencyCurve, ...]:
        """Return a curve for each split of a node's cores that there is time for."""
        member = gap.member
        curves: dict[int, LatencyCurve] = {}
        # An older node does not tell its splits, and measures what it can at once.
        for threads in gap.profile.splits or (0,):
            if threads in curves:
                continue
            await member.unladen.wait()
            if member.incarnation != gap.profile.incarnation:
                raise NodeLostError(f"node '{member.node_id}' is another process now")
            found = await self._pool.measure(member.node_id, gap.digest, threads)
            curves.update((curve.threads, curve) for curve in found)
            if not found or sum(c.seconds(1) for c in curves.values()) > _MAX_RUNS_S:
                break
        return tuple(curves.values())

    def _explain(self, key: CurveKey, reason: str) -> None:
        if key in self._stale:
            self._stale[key] = reason

    # -- choosing -------------------------------------------------------------------------

    def _follow_demands(self) -> None:
        """Choose anew for digests that are run for something else than they were."""
        demands = self._known.demands()
        changed = {d for d, wanted in demands.items() if self._demands.get(d) != wanted}
        self._demands = demands
        for member in self._fleet.ready_members():
            for digest in changed & member.ready.keys():
                self._apply(member, digest)

    def _apply(self, member: Member, digest: str) -> None:
        """Let a node run a digest on the split that suits it, if that is known and is news."""
        if member.profile is None or digest not in member.ready:
            return
        curve = self._known.choice(member.profile, digest)
        if curve is not None and member.ready[digest] != curve:
            member.ready[digest] = curve
            self._fleet.tell(member)


def _host(member: Member) -> str:
    return (member.profile.host if member.profile is not None else "") or member.node_id


def _speed(member: Member) -> float:
    """Return a node's clock as a share of its highest: what is kept is a curve at that."""
    return member.vitals.speed if member.vitals is not None else 1.0
