"""The composition root: the only place where the parts of a gateway are wired together."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from farm.access import Access
from farm.config import FarmConfig
from farm.core.clock import SystemClock
from farm.core.errors import DrainingError, UnreachableError
from farm.core.events import EventKind, Happening, Severity
from farm.core.handover import is_taken
from farm.core.nodes import NodeState
from farm.core.pool import WorkerPool
from farm.core.snapshots import GatewayState
from farm.economy import Economy
from farm.energy.economics import Economics
from farm.engine.events import EventLog
from farm.engine.history import History
from farm.engine.trace import TraceRecorder
from farm.engine.watch import Watch
from farm.frontend.inference_service import InferenceService
from farm.logs import LogSwitches
from farm.metrics.prometheus import PrometheusObserver
from farm.metrics.server import MetricsServer
from farm.parts import Parts
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository
from farm.services import frontend_of

_log = structlog.get_logger()

_HEALTH_INTERVAL_S = 0.5

# How long the port stays open, refusing in words, for clients that have not noticed yet.
_QUIET_S = 0.3
_QUIET_AT_MOST_S = 3.0
# Nodes that were there before answer within a second of each other.
_COMPANY_S = 2.0

# What takes down the run of a gateway, if anything does.
Recording: TypeAlias = TraceRecorder | None


@contextlib.contextmanager
def recording(file: Path | None) -> Iterator[Recording]:
    """Keep a trace open, in a new file, for as long as a gateway and its start last.

    Raises:
        ConfigurationError: the file exists or cannot be written.
    """
    if file is None:
        yield None
        return
    with contextlib.closing(TraceRecorder(file)) as recorder:
        yield recorder


class Gateway:
    """One gateway over a pool of nodes: repository, scheduler, frontend and metrics.

    Made inside the event loop it runs on.
    """

    def __init__(
        self,
        config: FarmConfig,
        *,
        pool: WorkerPool,
        repository: Repository,
        listings: Sequence[ModelListing],
        curves_dir: Path,
        economics: Economics,
        ledger_dir: Path,
        calibrations_dir: Path,
        log: LogSwitches,
        recorder: Recording = None,
    ) -> None:
        """Wire the parts; nothing is opened yet.

        Raises:
            ConfigurationError: TLS, tokens or a handover are not to be had as configured.
        """
        self._config = config
        clock = SystemClock()
        observer = PrometheusObserver(pool.node_ids)
        events, history = EventLog(clock), History(clock)
        self._watch = Watch(events=events, history=history)
        economy = self._economy = Economy(
            config,
            economics,
            ledger_dir=ledger_dir,
            calibrations_dir=calibrations_dir,
            clock=clock,
            tell=_from_threads(events),
        )
        parts = Parts.of(
            config,
            pool=pool,
            repository=repository,
            listings=listings,
            curves_dir=curves_dir,
            economy=economy,
            observer=observer,
            clock=clock,
            recorder=recorder,
            verbose=log.verbose,
        )
        self._tracer, self._curves, self._polling = parts.tracer, parts.curves, parts.polling
        self.engine, self.fleet, self.control = parts.engine, parts.fleet, parts.control
        self.dataplane, self.snapshots = parts.dataplane, parts.snapshots
        if repository.restored:
            events.post(
                Happening(
                    kind=EventKind.WISHES_RESTORED,
                    severity=Severity.WARNING,
                    subject=config.name,
                    detail=repository.restored,
                )
            )
        access = Access.of(config, clock)
        self._scrapers = access.scrapers
        inference = InferenceService(
            self.dataplane,
            observer=observer,
            traced=self._tracer is not None,
            max_answer_bytes=config.max_message_bytes,
        )
        self._frontend = frontend_of(
            config,
            parts,
            pool=pool,
            access=access,
            inference=inference,
            economy=economy,
            events=events,
            history=history,
            observer=observer,
            clock=clock,
            log=log,
        )
        self._look()
        # The scrape runs on a thread of its own and must not look into live parts.
        observer.watch(
            lambda: self._latest,
            clock=clock,
            ledger_drops=economy.ledger_drops,
            unread_bytes=lambda: inference.unread_bytes,
        )
        if config.metrics_triton:
            observer.watch_as_triton(lambda: self._counts)
        self._registry = observer.registry
        self._metrics: MetricsServer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def grpc_address(self) -> str:
        """Where gRPC is served, with the port that was really bound."""
        return _with_port(self._config.grpc, self._frontend.port)

    @property
    def metrics_address(self) -> str:
        """Where metrics are served, with the port that was really bound."""
        return _with_port(self._config.metrics, self._metrics.port if self._metrics else 0)

    @property
    def ready_nodes(self) -> int:
        """How many nodes take batches now."""
        return sum(m.state is NodeState.READY for m in self.fleet.members.values())

    async def start(self) -> None:
        """Listen, bring nodes and models up, and begin to serve.

        With `handover` it listens only once it can serve: from then on the gateway that it
        takes over from gets no new connections.

        Raises:
            ConfigurationError: a port cannot be bound.
            UnreachableError: no node came up in time.
        """
        self._economy.open()
        if not self._config.handover:
            await self._listen()
        self._keep(self.fleet.run(), "fleet")
        self._keep(self._report_health(), "health")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nodes_come(), self._config.start_timeout_s)
        if not self.fleet.any_ready():
            reasons = "; ".join(f"{m.node_id}: {m.reason}" for m in self.fleet.members.values())
            raise UnreachableError(f"no node came up: {reasons}")
        self.dataplane.state = GatewayState.SERVING
        if self._config.handover:
            await self._listen()
        self._economy.accounting.begin()
        self._frontend.set_serving(True)
        self._look()
        self._keep(self._curves.run(), "curves")
        self._keep(self._economy.accounting.run(self.fleet.tell_thrift), "accounting")
        if self._polling is not None:
            self._keep(self._polling.run(), "polling")

    async def _nodes_come(self) -> None:
        """Wait for every node that is on its way in.

        With `handover` and nobody there to take over from, clients are refused until this one
        listens: then the first node, and whichever comes right after it, is enough.
        """
        if self._config.handover and not is_taken(self._config.grpc):
            await self.fleet.some_ready()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.fleet.settled(), _COMPANY_S)
        else:
            await self.fleet.settled()

    async def _listen(self) -> None:
        await self._frontend.start(serving=self.dataplane.serving())
        host, _, port = self._config.metrics.rpartition(":")
        self._metrics = MetricsServer(
            self._registry,
            host=host.strip("[]"),
            port=int(port),
            access=self._scrapers,
            shared=self._config.handover,
        )

    async def retire(self) -> None:
        """Leave the clients to the gateway that has taken over, then drain.

        Until they have all gone over, which takes as long as connections live, their requests
        are answered as ever.
        """
        self._economy.accounting.finish()
        await self._frontend.moved()
        await self.drain()

    async def drain(self) -> None:
        """Refuse new requests, answer the accepted ones, close the ports."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._config.drain_timeout_s
        self.dataplane.state = GatewayState.DRAINING
        self._frontend.begin_drain()
        try:
            await asyncio.wait_for(self.engine.drained(), self._config.drain_timeout_s)
        except TimeoutError:
            count = self.engine.end_all(
                DrainingError("the gateway shut down before this request was answered; retry it")
            )
            _log.warning("drain_timed_out", unanswered=count)
        await self._frontend.quiet(idle_s=_QUIET_S, at_most_s=_QUIET_AT_MOST_S)
        await self._frontend.end_streams(at_most_s=max(ends_at - loop.time(), 1.0))
        await self._frontend.stop(grace_s=1.0)

    async def close(self) -> None:
        """Release everything; safe after a failed `start`."""
        await self._frontend.stop(grace_s=0.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.control.close()
        await self.engine.close()
        await self._economy.close()
        if self._tracer is not None:
            await asyncio.to_thread(self._tracer.close)
        if self._metrics is not None:
            self._metrics.close()

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a part of the gateway until it is closed."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._part_ended)
        self._tasks.append(task)

    def _part_ended(self, task: "asyncio.Task[None]") -> None:
        """No part ends by itself; without one of them the gateway must restart."""
        if not task.cancelled() and task.exception() is not None:
            _log.critical("part_failed", part=task.get_name(), exc_info=task.exception())
            self.engine.broken.set()

    def _look(self) -> None:
        """Take down how the farm is, for whoever scrapes it next."""
        self._latest = self.snapshots.take()
        if self._config.metrics_triton:
            self._counts = self.snapshots.counts()

    async def _report_health(self) -> None:
        """Let health checks, metrics and events follow the farm: without a node, not serving."""
        told = True
        while True:
            await asyncio.sleep(_HEALTH_INTERVAL_S)
            self._look()
            self._watch.take(self._latest)
            serving = self.dataplane.serving()
            if serving is not told:
                told = serving
                self._frontend.set_serving(serving)


def _from_threads(events: EventLog) -> Callable[[Happening], None]:
    """Return what posts events from any thread onto the loop that runs now."""
    loop = asyncio.get_running_loop()

    def tell(happening: Happening) -> None:
        # A disk that hung may have its say after the loop has ended.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(events.post, happening)

    return tell


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"
