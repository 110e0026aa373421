"""Keeps one node's actor alive: finds or starts it, listens to its heart, replaces it."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
import structlog

from farm.cluster.actor import remote_actor
from farm.cluster.calls import ActorCalls
from farm.cluster.joined import JoinedMachines
from farm.cluster.names import NAMESPACE, actor_name
from farm.core.actor_messages import decode_profile, decode_vitals
from farm.core.errors import FarmError, NodeLostError, UnreachableError
from farm.core.pool import NodeDown, NodeHeartbeat, NodeUp, PoolEvent
from farm.node.settings import NodeSettings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeats:
    """How an actor's life is judged, in seconds.

    One that misses heartbeats for `lost_after_s` is taken for hung and killed. A new one
    is tried after `restart_base_s`, doubling up to `restart_max_s` for as long as none
    lives longer than that.
    """

    interval_s: float = 1.0
    lost_after_s: float = 5.0
    start_timeout_s: float = 180.0
    restart_base_s: float = 0.5
    restart_max_s: float = 15.0


@dataclass(frozen=True, slots=True)
class _Loss:
    """Why an actor is none of the farm's any more, and whether it may live on all the same."""

    reason: str
    spared: bool = False


class Supervisor:
    """One node's actor. `calls` is None while there is no living one."""

    def __init__(
        self,
        settings: NodeSettings,
        *,
        machines: JoinedMachines,
        heartbeats: Heartbeats,
        emit: Callable[[PoolEvent], None],
    ) -> None:
        self.node_id = settings.node_id
        self._settings = settings
        self._machines = machines
        self._heartbeats = heartbeats
        self._emit = emit
        # What becomes of the present actor, once somebody gives it up.
        self._verdict: asyncio.Future[_Loss] | None = None
        self._greeted_at = 0.0
        self.calls: ActorCalls | None = None
        self.incarnation = ""

    def replace(self, incarnation: str, reason: str) -> None:
        """Give an actor up: it is dead, or hangs. A newer one is not affected."""
        self._give_up(incarnation, _Loss(reason))

    def greet_anew(self, incarnation: str, reason: str) -> None:
        """Lose an actor, and take it back with all its models if it lives.

        One that was greeted just before is given up: something is wrong with it.
        """
        greeted_for_s = asyncio.get_running_loop().time() - self._greeted_at
        spared = greeted_for_s > self._heartbeats.restart_max_s
        self._give_up(incarnation, _Loss(reason, spared=spared))

    def _give_up(self, incarnation: str, loss: _Loss) -> None:
        current = incarnation == self.incarnation and self.calls is not None
        if current and self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(loss)

    async def run(self) -> None:
        """Supervise until cancelled."""
        loop = asyncio.get_running_loop()
        delay_s = 0.0
        while True:
            await asyncio.sleep(delay_s)
            calls: ActorCalls | None = None
            begun_at = loop.time()
            try:
                membership = await self._machine_joined()
                begun_at = loop.time()
                calls = await asyncio.to_thread(self._obtain)
                verdict = await self._greet(calls, membership)
                loss = await self._watch(calls, verdict)
            except TimeoutError:
                bound_s = self._heartbeats.start_timeout_s
                loss = _Loss(f"its actor did not answer within {bound_s:g} s")
            except FarmError as error:
                loss = _Loss(error.message)
            except Exception as error:
                _log.exception("supervisor_failed", node=self.node_id)
                loss = _Loss(f"its actor could not be started ({type(error).__name__})")
            finally:
                self.calls = None
                if calls is not None:
                    calls.disconnect()
            if calls is not None and not loss.spared:
                calls.kill()
            self._report_down(loss.reason)
            longest_s = self._heartbeats.restart_max_s
            if loop.time() - begun_at > longest_s:
                delay_s = 0.0
            delay_s = min(delay_s * 2 or self._heartbeats.restart_base_s, longest_s)

    async def _machine_joined(self) -> str:
        """Wait until an actor can be placed: Ray would wait without a word.

        Returns as what the machine has joined.
        """
        if membership := await self._machines.membership(self.node_id):
            return membership
        self._report_down("its machine has not joined the cluster; see its farm-node.service")
        # Ray tells nobody.
        while not (membership := await self._machines.membership(self.node_id)):  # noqa: ASYNC110
            await asyncio.sleep(self._heartbeats.interval_s)
        return membership

    def _report_down(self, reason: str) -> None:
        self._emit(NodeDown(node_id=self.node_id, incarnation=self.incarnation, reason=reason))
        _log.warning("node_down", node=self.node_id, reason=reason)

    def _obtain(self) -> ActorCalls:
        """Return the actor that lives under this node's name, or a new one.

        Blocks while the head is asked.
        """
        name = actor_name(self.node_id)
        try:
            return ActorCalls(ray.get_actor(name, namespace=NAMESPACE), self.node_id)
        except ValueError:
            return ActorCalls(remote_actor(self._settings), self.node_id)

    async def _greet(self, calls: ActorCalls, membership: str) -> "asyncio.Future[_Loss]":
        """Take an actor that answers for this node's; return what will end it."""
        async with asyncio.timeout(self._heartbeats.start_timeout_s):
            message = await self._first_words(calls, membership)
        profile = decode_profile(message)
        await calls.connect()
        loop = asyncio.get_running_loop()
        verdict = self._verdict = loop.create_future()
        self._greeted_at = loop.time()
        self.calls = calls
        self.incarnation = profile.incarnation
        self._emit(NodeUp(profile=profile, cordoned=bool(message.get("cordoned", False))))
        return verdict

    async def _first_words(self, calls: ActorCalls, membership: str) -> Mapping[str, Any]:
        """Wait for an actor to describe itself, for as long as its machine is in the cluster.

        Ray tells nothing of an actor that was being started when its machine, or the head, went
        away: nobody would ever answer.

        Raises:
            NodeLostError: the actor is dead, or its machine left, or left and joined again.
        """
        describing = asyncio.create_task(calls.describe(), name=f"greet {self.node_id}")
        try:
            while not describing.done():
                await asyncio.wait({describing}, timeout=self._heartbeats.interval_s)
                with suppress(UnreachableError):
                    present = await self._machines.membership(self.node_id)
                    if not describing.done() and present != membership:
                        raise NodeLostError("its machine left the cluster while its actor started")
            return describing.result()
        finally:
            describing.cancel()

    async def _watch(self, calls: ActorCalls, verdict: "asyncio.Future[_Loss]") -> _Loss:
        """Take heartbeats until the actor is lost or given up; return why it is."""
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while not verdict.done():
            beat = asyncio.create_task(calls.vitals(), name=f"heartbeat of {self.node_id}")
            either: set[asyncio.Future[Any]] = {beat, verdict}
            try:
                await asyncio.wait(
                    either,
                    timeout=self._heartbeats.lost_after_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not beat.done():
                    break
                vitals = decode_vitals(beat.result())
            except FarmError as error:
                return _Loss(error.message)
            finally:
                beat.cancel()
            heard_at = loop.time()
            self._emit(NodeHeartbeat(node_id=self.node_id, vitals=vitals))
            await calls.connect()
            # An actor that dies ends its connection, which is sooner than the next heartbeat.
            news: set[asyncio.Future[Any]] = {verdict, *calls.endings}
            await asyncio.wait(
                news,
                timeout=self._heartbeats.interval_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        if verdict.done():
            return verdict.result()
        silent_s = loop.time() - heard_at
        return _Loss(f"no heartbeat for {silent_s:.0f} s; its actor hangs and is replaced")
