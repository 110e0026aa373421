"""The parts of a gateway that bring models and nodes together and schedule requests, wired."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from farm.config import ControlMode, Fairness, FarmConfig, SchedulingConfig
from farm.core.clock import Clock
from farm.core.pool import WorkerPool
from farm.economy import Economy
from farm.engine.catalog import Catalog
from farm.engine.control import ModelControl
from farm.engine.curve_store import CurveStore
from farm.engine.curves import Curves
from farm.engine.dataplane import DataPlane
from farm.engine.descriptions import Descriptions
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.known_curves import KnownCurves
from farm.engine.polling import Polling
from farm.engine.snapshots import Snapshots
from farm.engine.supply import Supply
from farm.engine.trace import TraceRecorder
from farm.metrics.prometheus import PrometheusObserver
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository
from farm.scheduling.limits import Hedging, SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import POLICIES

if TYPE_CHECKING:
    from farm.tracing import RequestTracer

# Of what placement policies draw by lot: the same events give the same run.
_SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is between the services that clients call and the pool of nodes.

    `tracer` is None where nothing is traced, `polling` where models come when they are asked for.
    """

    tracer: "RequestTracer | None"
    engine: Engine
    fleet: Fleet
    control: ModelControl
    curves: Curves
    polling: Polling | None
    dataplane: DataPlane
    snapshots: Snapshots
    descriptions: Descriptions

    @classmethod
    def of(
        cls,
        config: FarmConfig,
        *,
        pool: WorkerPool,
        repository: Repository,
        listings: Sequence[ModelListing],
        curves_dir: Path,
        economy: Economy,
        observer: PrometheusObserver,
        clock: Clock,
        recorder: TraceRecorder | None,
        verbose: Callable[[], bool],
    ) -> Self:
        """Wire them; nothing runs yet. `verbose` says whether every batch is to be logged."""
        catalog = Catalog()
        known = KnownCurves(catalog=catalog, store=CurveStore(curves_dir))
        tracer = _tracer(config, clock)
        engine = Engine(
            machine=Machine(
                limits=_limits(config.scheduling),
                policy=POLICIES[config.scheduling.policy](_SEED),
            ),
            pool=pool,
            clock=clock,
            observer=observer,
            accounting=economy.accounting,
            recorder=recorder,
            tracer=tracer,
            verbose=verbose,
        )
        supply = Supply(
            pool=pool,
            engine=engine,
            catalog=catalog,
            curves=known,
            blobs=repository,
        )
        fleet = Fleet(
            pool=pool,
            engine=engine,
            supply=supply,
            accounting=economy.accounting,
            clock=clock,
        )
        polled = config.repository.control is ControlMode.POLL
        control = ModelControl(
            repository=repository,
            catalog=catalog,
            fleet=fleet,
            supply=supply,
            engine=engine,
            clock=clock,
            polled=polled,
        )
        control.begin(listings)
        polling = None
        if polled:
            polling = Polling(
                control=control,
                repository=repository,
                clock=clock,
                interval_s=config.repository.poll_interval_s,
            )
        curves = Curves(pool=pool, fleet=fleet, known=known, clock=clock)
        dataplane = DataPlane(
            engine=engine,
            fleet=fleet,
            catalog=catalog,
            pricing=economy.pricing,
            clock=clock,
            default_timeout_s=config.default_timeout_s,
        )
        snapshots = Snapshots(
            farm_name=config.name,
            engine=engine,
            fleet=fleet,
            catalog=catalog,
            dataplane=dataplane,
            accounting=economy.accounting,
            clock=clock,
        )
        return cls(
            tracer=tracer,
            engine=engine,
            fleet=fleet,
            control=control,
            curves=curves,
            polling=polling,
            dataplane=dataplane,
            snapshots=snapshots,
            descriptions=Descriptions(
                catalog=catalog,
                fleet=fleet,
                engine=engine,
                known=known,
                curves=curves,
                snapshots=snapshots,
            ),
        )


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
