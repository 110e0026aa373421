"""Calls to one actor, with Ray's errors mapped to the farm's at this boundary."""

import asyncio
import contextlib
import math
import os
from collections.abc import Mapping
from typing import Any

import ray
import structlog
from ray.exceptions import (
    RayActorError,
    RayError,
    RayTaskError,
)

from farm.cluster.actor import INFERENCE, MODELS, TELEMETRY, own_address
from farm.cluster.channel import BatchChannel
from farm.cluster.ray_environment import told_to_encrypt
from farm.core.errors import (
    FarmError,
    InternalError,
    NodeBusyError,
    NodeLostError,
    UnsupportedError,
)
from farm.core.frames import Endpoint

_log = structlog.get_logger()

# Asking an actor where, and connecting there.
_CONNECT_S = 5.0

# The port of an actor that was just replaced may still be its own.
_RETRY_BASE_S = 1.0
_RETRY_MAX_S = 60.0


class _ConnectRetry:
    """When the connection for batches is tried again, and what keeps it from being made."""

    def __init__(self) -> None:
        self.again_at = 0.0
        self._pause_s = _RETRY_BASE_S
        self._reason = ""

    def later(self, now: float, reason: str) -> None:
        self.again_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, _RETRY_MAX_S)
        self._note(reason)

    def never(self, reason: str) -> None:
        self.again_at = math.inf
        self._note(reason)

    def _note(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            _log.warning("batches_go_through_ray", reason=reason)


class ActorCalls:
    """The methods of one actor as coroutines, each in its concurrency group.

    Batches go over a connection of their own once `connect` has made one, else as Ray's calls.

    Every one raises `NodeLostError` when the actor is dead or cannot be reached, and the
    farm's own errors as the actor raised them.
    """

    def __init__(self, handle: Any, node_id: str) -> None:
        self._handle = handle
        self._node_id = node_id
        # `.options()` builds a wrapper; made once, it costs a request nothing.
        self._infer = handle.infer.options(concurrency_group=INFERENCE)
        self._describe = handle.describe.options(concurrency_group=TELEMETRY)
        self._cancel = handle.cancel.options(concurrency_group=TELEMETRY)
        self._vitals = handle.vitals.options(concurrency_group=TELEMETRY)
        self._missing = handle.missing_files.options(concurrency_group=MODELS)
        self._receive = handle.receive.options(concurrency_group=MODELS)
        self._load = handle.load.options(concurrency_group=MODELS)
        # Actors of the protocol before measure all that they can in one call.
        split_by_split = hasattr(handle, "measure_split")
        measure = handle.measure_split if split_by_split else handle.measure
        self._measure = measure.options(concurrency_group=MODELS)
        self._splits = split_by_split
        self._unload = handle.unload.options(concurrency_group=MODELS)
        # Actors of the protocol before have neither probes nor a process for suspects.
        self.isolates = hasattr(handle, "probe")
        self._channel: BatchChannel | None = None
        # Where Ray is told to encrypt, so is this, by the same certificates.
        self._tls = told_to_encrypt(os.environ)
        self._retry = _ConnectRetry()

    async def describe(self) -> Mapping[str, Any]:
        message: Mapping[str, Any] = await _result(self._describe.remote())
        return message

    async def vitals(self) -> Mapping[str, Any]:
        message: Mapping[str, Any] = await _result(self._vitals.remote())
        return message

    async def missing_files(self, artifact: Mapping[str, Any]) -> tuple[str, ...]:
        missing: tuple[str, ...] = await _result(self._missing.remote(artifact))
        return missing

    async def receive(self, sha256: str, offset: int, chunk: bytes, *, last: bool) -> None:
        await _result(self._receive.remote(sha256, offset, chunk, last))

    async def load(
        self, artifact: Mapping[str, Any], contents: Mapping[str, bytes]
    ) -> Mapping[str, Any]:
        report: Mapping[str, Any] = await _result(self._load.remote(artifact, contents))
        return report

    async def measure(self, digest: str, threads: int) -> Mapping[str, Any]:
        """Measure one split; an actor of the protocol before, whatever it can."""
        asked = (digest, threads) if self._splits else (digest,)
        curves: Mapping[str, Any] = await _result(self._measure.remote(*asked))
        return curves

    async def probe(self, digest: str) -> None:
        await _result(self._newer("probe", INFERENCE).remote(digest))

    async def set_cordon(self, cordoned: bool) -> None:
        await _result(self._newer("set_cordon", TELEMETRY).remote(cordoned))

    async def exercise(self, load: float, seconds: float) -> None:
        await _result(self._newer("exercise", TELEMETRY).remote(load, seconds))

    async def read_log(self, after: int) -> tuple[int, str]:
        position, text = await _result(self._newer("read_log", TELEMETRY).remote(after))
        return position, text

    async def unload(self, digest: str) -> None:
        await _result(self._unload.remote(digest))

    async def connect(self) -> None:
        """Open a connection for batches, unless there is one; without, they go through Ray.

        After a failure it is not tried again for a while.

        Raises:
            NodeLostError: the actor is dead.
        """
        loop = asyncio.get_running_loop()
        connected = self._channel is not None and self._channel.usable
        if connected or loop.time() < self._retry.again_at:
            return
        self._channel = None
        try:
            async with asyncio.timeout(_CONNECT_S):
                listen = self._newer("listen", TELEMETRY)
                endpoint = Endpoint(*await _result(listen.remote(own_address())))
                self._channel = await BatchChannel.open(
                    endpoint, tls=self._tls, machine=self._node_id
                )
        except NodeLostError:
            raise
        except UnsupportedError as error:
            self._retry.never(error.message)
        except (FarmError, OSError, TimeoutError) as error:
            self._retry.later(loop.time(), str(error) or type(error).__name__)
        else:
            self._retry = _ConnectRetry()

    @property
    def endings(self) -> frozenset["asyncio.Future[None]"]:
        """What is done once the connection has ended; nothing where there is none."""
        return frozenset() if self._channel is None else frozenset({self._channel.ended})

    def disconnect(self) -> None:
        """End the connection. Batches under way over it are lost."""
        if self._channel is not None:
            self._channel.close()

    def infer(self, call: bytes, raws: list[bytes]) -> Any:
        """Start a batch and return what `reply` takes.

        Raises:
            NodeBusyError: Ray has no room for its bytes now.
        """
        if self._channel is not None and self._channel.usable:
            return self._channel.send((call, *raws))
        try:
            return self._infer.remote(call, *raws)
        except RayError as error:
            raise NodeBusyError(f"Ray refused the batch ({type(error).__name__})") from error

    async def reply(self, reference: Any) -> bytes:
        """Wait for the reply to what `infer` returned."""
        reply: bytes = await _result(reference)
        return reply

    def cancel(self, call_id: str) -> None:
        """Drop a batch if it has not begun to run; one that runs goes on, unless isolated.

        Not by `ray.cancel`: after a few of those on an actor's threads, Ray 2.60 runs nothing
        more in their concurrency group, and nothing else tells.
        """
        with contextlib.suppress(RayError):
            self._cancel.remote(call_id)

    def _newer(self, name: str, group: str) -> Any:
        """Return a method that actors of the protocol before do not have."""
        try:
            return getattr(self._handle, name).options(concurrency_group=group)
        except AttributeError as error:
            raise UnsupportedError(
                "the node's software is older than the gateway's and cannot do this; upgrade the"
                " node"
            ) from error

    def kill(self) -> None:
        """End the actor's process, even one that hangs."""
        with contextlib.suppress(RayError, ValueError):
            ray.kill(self._handle, no_restart=True)


async def _result(reference: Any) -> Any:
    try:
        return await reference
    except RayActorError as error:
        raise NodeLostError(_obituary(error)) from error
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, FarmError):
            raise cause from error
        raise InternalError(f"the node failed with {type(cause).__name__}") from error
    except RayError as error:
        # The reply was lost, not the actor: the heartbeat will tell if it was both.
        raise InternalError(f"Ray lost the reply ({type(error).__name__})") from error


def _obituary(error: RayActorError) -> str:
    """Say why an actor is dead: if it could not even be made, in its own last words."""
    if not error.actor_init_failed:
        return "its actor died"
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"its actor could not start: {words[-1][:200]}" if words else "its actor did not start"
