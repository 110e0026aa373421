"""The composition root: the only place where the parts of a gateway are wired together."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from farm.access import Access
from farm.config import (
    ControlMode,
    Fairness,
    FarmConfig,
    SchedulingConfig,
)
from farm.core.clock import Clock, SystemClock
from farm.core.errors import DrainingError, UnreachableError
from farm.core.events import EventKind, Happening, Severity
from farm.core.nodes import NodeState
from farm.core.pool import WorkerPool
from farm.core.snapshots import GatewayState
from farm.economy import Economy
from farm.energy.economics import Economics
from farm.engine.calibration import Calibrator
from farm.engine.catalog import Catalog
from farm.engine.control import ModelControl
from farm.engine.cordons import Cordons
from farm.engine.curve_store import CurveStore
from farm.engine.curves import Curves
from farm.engine.dataplane import DataPlane
from farm.engine.descriptions import Descriptions
from farm.engine.engine import Engine
from farm.engine.events import EventLog
from farm.engine.fleet import Fleet
from farm.engine.history import History
from farm.engine.known_curves import KnownCurves
from farm.engine.node_descriptions import NodeDescriptions
from farm.engine.polling import Polling
from farm.engine.restarts import Restarts
from farm.engine.snapshots import Snapshots
from farm.engine.trace import TraceRecorder
from farm.engine.watch import Watch
from farm.frontend.admin_service import AdminService
from farm.frontend.inference_service import InferenceService
from farm.frontend.ledger_service import LedgerService
from farm.frontend.log_service import LogService
from farm.frontend.node_service import NodeService
from farm.frontend.repository_service import RepositoryService
from farm.frontend.revocation_service import RevocationService
from farm.frontend.server import Frontend, FrontendSettings
from farm.frontend.terms_service import TermsService
from farm.frontend.watch_service import WatchService
from farm.logs import LogSwitches
from farm.metrics.prometheus import PrometheusObserver
from farm.metrics.server import MetricsServer
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository
from farm.scheduling.limits import Hedging, SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import POLICIES

if TYPE_CHECKING:
    from farm.tracing import RequestTracer

_log = structlog.get_logger()

_HEALTH_INTERVAL_S = 0.5

# Of what placement policies draw by lot: the same events give the same run.
_SEED = 1

# How long the port stays open, refusing in words, for clients that have not noticed yet.
_QUIET_S = 0.3
_QUIET_AT_MOST_S = 3.0

# With handover clients connect anew this often, and that is how long an old gateway lingers.
_CONNECTION_AGE_S = 30.0


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
        clock = SystemClock()
        observer = PrometheusObserver(pool.node_ids)
        catalog = Catalog()
        curves = KnownCurves(catalog=catalog, store=CurveStore(curves_dir))
        self._tracer = _tracer(config, clock)
        events, history = EventLog(clock), History(clock)
        economy = self._economy = Economy(
            config,
            economics,
            ledger_dir=ledger_dir,
            calibrations_dir=calibrations_dir,
            clock=clock,
            tell=_from_threads(events),
        )
        self.engine = Engine(
            machine=Machine(
                limits=_limits(config.scheduling),
                policy=POLICIES[config.scheduling.policy](_SEED),
            ),
            pool=pool,
            clock=clock,
            observer=observer,
            accounting=economy.accounting,
            recorder=recorder,
            tracer=self._tracer,
            verbose=log.verbose,
        )
        self.fleet = Fleet(
            pool=pool,
            engine=self.engine,
            catalog=catalog,
            curves=curves,
            blobs=repository,
            accounting=economy.accounting,
            clock=clock,
        )
        self.control = ModelControl(
            repository=repository,
            catalog=catalog,
            fleet=self.fleet,
            engine=self.engine,
            clock=clock,
            polled=config.repository.control is ControlMode.POLL,
        )
        self.control.begin(listings)
        self._curves = Curves(pool=pool, fleet=self.fleet, known=curves, clock=clock)
        self._polling = Polling(
            control=self.control,
            repository=repository,
            clock=clock,
            interval_s=config.repository.poll_interval_s,
        )
        self.dataplane = DataPlane(
            engine=self.engine,
            fleet=self.fleet,
            catalog=catalog,
            pricing=economy.pricing,
            clock=clock,
            default_timeout_s=config.default_timeout_s,
        )
        self.snapshots = Snapshots(
            farm_name=config.name,
            engine=self.engine,
            fleet=self.fleet,
            catalog=catalog,
            dataplane=self.dataplane,
            accounting=economy.accounting,
            clock=clock,
        )
        descriptions = Descriptions(
            catalog=catalog,
            fleet=self.fleet,
            engine=self.engine,
            known=curves,
            curves=self._curves,
            snapshots=self.snapshots,
        )
        inference = InferenceService(
            self.dataplane,
            observer=observer,
            traced=self._tracer is not None,
            max_answer_bytes=config.max_message_bytes,
        )
        access = Access.of(config, clock)
        self._scrapers = access.scrapers
        self._watch = Watch(events=events, history=history)
        if repository.restored:
            events.post(
                Happening(
                    kind=EventKind.WISHES_RESTORED,
                    severity=Severity.WARNING,
                    subject=config.name,
                    detail=repository.restored,
                )
            )
        self._frontend = Frontend(
            FrontendSettings(
                address=config.grpc,
                tls=access.tls,
                operators=access.operators,
                connection_age_s=_CONNECTION_AGE_S if config.handover else None,
                max_receive_bytes=config.max_message_bytes,
                max_connections=config.max_connections,
            ),
            inference=inference,
            repository=RepositoryService(control=self.control, snapshots=self.snapshots, log=log),
            admin=(
                AdminService(
                    self.snapshots,
                    descriptions,
                    Calibrator(
                        pool=pool,
                        engine=self.engine,
                        fleet=self.fleet,
                        hosts=economy.hosts,
                        calibrations=economy.calibrations,
                        clock=clock,
                    ),
                ),
                NodeService(
                    descriptions=NodeDescriptions(
                        engine=self.engine,
                        fleet=self.fleet,
                        descriptions=descriptions,
                        snapshots=self.snapshots,
                        clock=clock,
                    ),
                    cordons=Cordons(pool=pool, engine=self.engine, fleet=self.fleet),
                    restarts=Restarts(pool=pool, engine=self.engine, fleet=self.fleet),
                ),
                LogService(pool=pool, gateway=log.recent),
                LedgerService(economy.ledger, clock=clock),
                TermsService(economy.terms, clock=clock),
                RevocationService(access.certificates),
                WatchService(events=events, history=history),
            ),
            callers=access.callers,
            observer=observer,
            on_act=lambda act: events.post(act.happening),
        )
        self._config = config
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
            await asyncio.wait_for(self.fleet.settled(), self._config.start_timeout_s)
        if not self.fleet.any_ready():
            reasons = "; ".join(f"{m.node_id}: {m.reason}" for m in self.fleet.members.values())
            raise UnreachableError(f"no node came up: {reasons}")
        self.dataplane.state = GatewayState.SERVING
        if self._config.handover:
            await self._listen()
        self._economy.accounting.begin()
        await self._frontend.set_serving(True)
        self._look()
        self._keep(self._curves.run(), "curves")
        self._keep(self._economy.accounting.run(self.fleet.tell_thrift), "accounting")
        if self._config.repository.control is ControlMode.POLL:
            self._keep(self._polling.run(), "polling")

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
        await self._frontend.begin_drain()
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
                await self._frontend.set_serving(serving)


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


def _tracer(config: FarmConfig, clock: Clock) -> "RequestTracer | None":
    if config.tracing is None:
        return None
    # An extra of its own, which takes a twentieth of a second to import.
    from farm.tracing import open_tracer

    return open_tracer(
        endpoint=config.tracing.endpoint,
        sample_ratio=config.tracing.sample_ratio,
        farm=config.name,
        clock=clock,
    )


def _limits(scheduling: SchedulingConfig) -> SchedulingLimits:
    """Return the scheduler's bounds: those an operator sets, the others as they are."""
    hedging, health = scheduling.hedging, scheduling.health
    return SchedulingLimits(
        max_queue_size=scheduling.max_queue_size,
        max_queued_bytes=scheduling.max_queued_bytes,
        max_batch_bytes=scheduling.max_batch_bytes,
        fair=scheduling.fairness is Fairness.CLIENT,
        retry_ratio=scheduling.retry_ratio,
        hedging=Hedging(after_factor=hedging.after_factor) if hedging.enabled else None,
        suspect_after_s=health.suspect_after_s,
        hung_after_s=health.hung_after_s,
        eject_after_failures=health.eject_after_failures,
        eject_base_s=health.eject_base_s,
        eject_max_s=health.eject_max_s,
        probe_timeout_s=health.probe_timeout_s,
    )
