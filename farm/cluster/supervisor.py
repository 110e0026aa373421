"""Keeps one node's actor alive: finds or starts it, listens to its heart, replaces it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import ray
import structlog

from farm.cluster.actor import NAMESPACE, actor_name, remote_actor
from farm.cluster.calls import ActorCalls
from farm.core.actor_messages import decode_profile, decode_vitals
from farm.core.errors import FarmError
from farm.core.nodes import NodeProfile
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
    start_timeout_s: float = 60.0
    restart_base_s: float = 0.5
    restart_max_s: float = 15.0


class Supervisor:
    """One node's actor. `calls` is None while there is no living one."""

    def __init__(
        self, settings: NodeSettings, *, heartbeats: Heartbeats, emit: Callable[[PoolEvent], None]
    ) -> None:
        self.node_id = settings.node_id
        self._settings = settings
        self._heartbeats = heartbeats
        self._emit = emit
        self._obituary = asyncio.Event()
        self.calls: ActorCalls | None = None
        self.incarnation = ""

    def report_death(self) -> None:
        """Say that a call found the actor dead, sooner than a heartbeat would."""
        self._obituary.set()

    async def run(self) -> None:
        """Supervise until cancelled."""
        loop = asyncio.get_running_loop()
        delay_s = 0.0
        while True:
            await asyncio.sleep(delay_s)
            begun_at = loop.time()
            calls: ActorCalls | None = None
            try:
                calls = await self._obtain()
                profile = await self._greet(calls)
                reason = await self._watch(calls, profile)
            except TimeoutError:
                bound_s = self._heartbeats.start_timeout_s
                reason = f"its actor did not answer within {bound_s:g} s"
            except FarmError as error:
                reason = error.message
            except Exception as error:
                _log.exception("supervisor_failed", node=self.node_id)
                reason = f"its actor could not be started ({type(error).__name__})"
            finally:
                self.calls = None
            if calls is not None:
                calls.kill()
            self._emit(NodeDown(node_id=self.node_id, incarnation=self.incarnation, reason=reason))
            _log.warning("node_down", node=self.node_id, reason=reason)
            longest_s = self._heartbeats.restart_max_s
            if loop.time() - begun_at > longest_s:
                delay_s = 0.0
            delay_s = min(delay_s * 2 or self._heartbeats.restart_base_s, longest_s)

    async def _obtain(self) -> ActorCalls:
        """Return the actor that lives under this node's name, or a new one."""
        name = actor_name(self.node_id)
        try:
            return ActorCalls(ray.get_actor(name, namespace=NAMESPACE))
        except ValueError:
            return ActorCalls(remote_actor(self._settings))

    async def _greet(self, calls: ActorCalls) -> NodeProfile:
        message = await asyncio.wait_for(calls.describe(), self._heartbeats.start_timeout_s)
        profile = decode_profile(message)
        self._obituary.clear()
        self.calls = calls
        self.incarnation = profile.incarnation
        self._emit(NodeUp(profile=profile))
        return profile

    async def _watch(self, calls: ActorCalls, profile: NodeProfile) -> str:
        """Take heartbeats until the actor is lost; return why it is."""
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while True:
            try:
                message = await asyncio.wait_for(calls.vitals(), self._heartbeats.lost_after_s)
            except TimeoutError:
                silent_s = loop.time() - heard_at
                return f"no heartbeat for {silent_s:.0f} s; its actor hangs and is replaced"
            except FarmError as error:
                return error.message
            heard_at = loop.time()
            self._emit(NodeHeartbeat(node_id=profile.node_id, vitals=decode_vitals(message)))
            try:
                await asyncio.wait_for(self._obituary.wait(), self._heartbeats.interval_s)
            except TimeoutError:
                continue
            return "its actor died"
