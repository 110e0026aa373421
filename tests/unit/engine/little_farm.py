"""Engine, fleet, catalogue and data plane over a `FakePool`, with the real machine."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import cast

from fake_pool import FakePool

from farm.core.clock import Clock, SystemClock
from farm.core.energy import Band, EnergySource
from farm.core.errors import ErrorCode, ModelNotFoundError
from farm.core.ledger import BatchRecord, Incident, WindowRecord
from farm.core.models import ModelArtifact, ModelFile, ModelKey, ModelState
from farm.core.nodes import NodeVitals
from farm.core.observer import Observer
from farm.core.requests import LedgerEntry, Receipt
from farm.core.snapshots import GatewayState
from farm.core.tensors import Datatype, Tensor
from farm.core.tracing import Tracer
from farm.energy.economics import Economics
from farm.energy.fx import Exchange
from farm.energy.power import PowerModel
from farm.engine.accounting import Accounting
from farm.engine.catalog import Catalog
from farm.engine.control import ModelControl
from farm.engine.curve_store import CurveStore
from farm.engine.curves import Curves
from farm.engine.dataplane import DataPlane, InferenceCall, InferenceResult
from farm.engine.descriptions import Descriptions
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.hosts import Hosts
from farm.engine.known_curves import KnownCurves
from farm.engine.pricing import Pricing
from farm.engine.records import Records
from farm.engine.snapshots import Snapshots
from farm.engine.supply import Supply
from farm.repository.listing import AvailableVersion, ModelListing
from farm.repository.model_config import ModelSettings
from farm.repository.onnx_header import OnnxHeader
from farm.repository.repository import ModelOverride, Repository, Wish
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import LeastExpectedCompletion

WAIT_S = 10.0

HEADER = OnnxHeader(
    ir_version=8, opsets=(("", 17),), producer="", operators=1, external_files=(), metadata={}
)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until a condition holds, for `WAIT_S` at most."""
    give_up = monotonic() + WAIT_S
    while not condition():
        assert monotonic() < give_up, "the condition never came true"
        await asyncio.sleep(0)


@dataclass(slots=True)
class Notes:
    """An `Observer` that writes everything down."""

    finished: list[tuple[ModelKey, ErrorCode | None, Receipt | None]] = field(default_factory=list)
    errors: list[ErrorCode] = field(default_factory=list)
    settled: list[LedgerEntry] = field(default_factory=list)
    ejected: list[str] = field(default_factory=list)
    retired: list[ModelKey] = field(default_factory=list)

    def request_finished(
        self, model: ModelKey, code: ErrorCode | None, latency_s: float, receipt: Receipt | None
    ) -> None:
        assert latency_s >= 0
        self.finished.append((model, code, receipt))

    def error_answered(self, code: ErrorCode) -> None:
        self.errors.append(code)

    def batch_settled(self, entry: LedgerEntry) -> None:
        self.settled.append(entry)

    def node_ejected(self, node_id: str) -> None:
        self.ejected.append(node_id)

    def version_retired(self, model: ModelKey) -> None:
        self.retired.append(model)


@dataclass(slots=True)
class Book:
    """`Records` that keeps everything."""

    settled: list[BatchRecord] = field(default_factory=list)
    windows: list[WindowRecord] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    # Model, client, error if any, whether in time, bytes there and back.
    requests: list[tuple[ModelKey, str, ErrorCode | None, bool | None, int, int]] = field(
        default_factory=list
    )

    def batches(self, records: Iterable[BatchRecord], count: int) -> None:
        self.settled += records

    def window(self, record: WindowRecord) -> None:
        self.windows.append(record)

    def incident(self, incident: Incident) -> None:
        self.incidents.append(incident)

    def request(
        self,
        model: ModelKey,
        client: str,
        *,
        code: ErrorCode | None,
        latency_s: float,
        in_time: bool | None,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        assert latency_s >= 0
        self.requests.append((model, client, code, in_time, request_bytes, response_bytes))


# Idles at 2 W, and takes 6 W with all cores busy.
BOARD = PowerModel(idle=Band(1.0, 2.0, 3.0), load=Band(5.0, 6.0, 8.0), source=EnergySource.MODELLED)


def accounting(
    records: Records | None = None,
    *,
    clock: Clock | None = None,
    economics: Economics | None = None,
    hosts: Hosts | None = None,
    window_s: float = 10.0,
) -> Accounting:
    """Return the accounting of a farm of boards like `BOARD`, if of no others."""
    economics = economics or Economics()
    return Accounting(
        clock=clock or SystemClock(),
        economics=economics,
        hosts=hosts or Hosts(economics.hosts, boards=lambda board, *, cores: BOARD),
        records=records or Book(),
        window_s=window_s,
    )


class NoBlobs:
    """A `BlobSource` of empty files."""

    def chunks(self, sha256: str, chunk_bytes: int) -> Iterator[bytes]:
        yield b""


class FakeRepository:
    """A repository whose listings tests choose."""

    def __init__(self) -> None:
        self.listings: dict[str, ModelListing] = {}
        self.wishes: dict[str, Wish] = {}
        self.news: set[str] = set()
        self.kept: dict[str, set[str]] = {}
        # Models that are listed, but only because a load brought them.
        self.elsewhere: set[str] = set()
        # Called, in the thread that records, with every wish.
        self.on_record: Callable[[Wish | None], None] = lambda wish: None

    def scan_model(self, name: str, override: ModelOverride | None = None) -> ModelListing:
        if name not in self.listings:
            raise ModelNotFoundError(f"the repository has no model '{name}'")
        return self.listings[name]

    def has(self, name: str) -> bool:
        return name in self.listings and name not in self.elsewhere

    def forget(self, name: str, keep: Sequence[ModelArtifact] = ()) -> None:
        self.kept[name] = {artifact.digest for artifact in keep}

    def changed(self) -> frozenset[str]:
        news, self.news = frozenset(self.news), set()
        return news

    def wish(self, name: str) -> Wish | None:
        return self.wishes.get(name)

    def record(self, name: str, wish: Wish | None) -> None:
        if wish is None:
            self.wishes.pop(name, None)
        else:
            self.wishes[name] = wish
        self.on_record(wish)


def artifact(name: str = "echo", version: int = 1) -> ModelArtifact:
    return ModelArtifact(
        key=ModelKey(name, version),
        digest=f"digest of {name}:{version}",
        files=(ModelFile(path="model.onnx", sha256="f", size_bytes=0),),
    )


def listings(artifacts: Sequence[ModelArtifact]) -> list[ModelListing]:
    """Return the listings of a repository with these versions and no configs."""
    names = sorted({artifact.key.name for artifact in artifacts})
    return [
        ModelListing(
            name=name,
            available=tuple(available(a) for a in artifacts if a.key.name == name),
        )
        for name in names
    ]


def available(artifact: ModelArtifact, settings: ModelSettings | None = None) -> AvailableVersion:
    return AvailableVersion(
        artifact=artifact,
        settings=settings or ModelSettings(),
        header=HEADER,
        abi=f"{artifact.key.version}.0",
    )


def tensor(*rows: bytes) -> Tensor:
    """UINT8 [n,2] from two-byte rows."""
    return Tensor(name="x", datatype=Datatype.UINT8, shape=(len(rows), 2), raw=b"".join(rows))


class LittleFarm:
    """One gateway without its frontend. `async with` it inside the loop."""

    def __init__(
        self,
        *node_ids: str,
        models: Sequence[ModelArtifact] = (artifact(),),
        default_timeout_s: float = 30.0,
        machine: Machine | None = None,
        polled: bool = False,
        unloaded: Sequence[str] = (),
        curves_dir: Path | None = None,
        tracer: Tracer | None = None,
        verbose: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self.pool = FakePool(node_ids or ("a",))
        self.notes = Notes()
        self.catalog = Catalog()
        clock = SystemClock()
        self.machine = machine or Machine(
            limits=SchedulingLimits(), policy=LeastExpectedCompletion()
        )
        self.book = Book()
        self.hosts = Hosts({}, boards=lambda board, *, cores: BOARD)
        self.accounting = accounting(self.book, clock=clock, hosts=self.hosts)
        self.engine = Engine(
            machine=self.machine,
            pool=self.pool,
            clock=clock,
            observer=observer or self.notes,
            accounting=self.accounting,
            tracer=tracer,
            verbose=lambda: verbose,
        )
        known = KnownCurves(catalog=self.catalog, store=CurveStore(curves_dir))
        supply = Supply(
            pool=self.pool,
            engine=self.engine,
            catalog=self.catalog,
            curves=known,
            blobs=NoBlobs(),
        )
        self.fleet = Fleet(
            pool=self.pool,
            engine=self.engine,
            supply=supply,
            accounting=self.accounting,
            clock=clock,
        )
        self.dataplane = DataPlane(
            engine=self.engine,
            fleet=self.fleet,
            catalog=self.catalog,
            pricing=Pricing(
                currency=None,
                baseline=None,
                exchange=Exchange(),
                requests_per_s=self.accounting.requests_per_s,
                reference_s=self.accounting.reference_s,
            ),
            clock=clock,
            default_timeout_s=default_timeout_s,
        )
        self.snapshots = Snapshots(
            farm_name="test",
            engine=self.engine,
            fleet=self.fleet,
            catalog=self.catalog,
            dataplane=self.dataplane,
            accounting=self.accounting,
            clock=clock,
        )
        self.curves = Curves(pool=self.pool, fleet=self.fleet, known=known, clock=clock)
        self.descriptions = Descriptions(
            catalog=self.catalog,
            fleet=self.fleet,
            engine=self.engine,
            known=known,
            curves=self.curves,
            snapshots=self.snapshots,
        )
        self.repository = FakeRepository()
        self.repository.listings = {listing.name: listing for listing in listings(models)}
        self.repository.wishes = {name: Wish(loaded=False, override=None) for name in unloaded}
        self.control = ModelControl(
            repository=cast(Repository, self.repository),
            catalog=self.catalog,
            fleet=self.fleet,
            supply=supply,
            engine=self.engine,
            clock=clock,
            polled=polled,
        )
        self.control.begin(listings(models))
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "LittleFarm":
        self._running = asyncio.create_task(self.fleet.run())
        self.dataplane.state = GatewayState.SERVING
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None
        died = self._running.done()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.control.close()
        await self.engine.close()
        await self.pool.close()
        assert not died, "the fleet's task ended by itself"

    async def start_nodes(self) -> None:
        """Start every node and wait until each one is ready."""
        for node_id in self.pool.nodes:
            self.pool.start(node_id)
        await asyncio.wait_for(self.fleet.settled(), WAIT_S)

    def vitals(self, node_id: str, *, memory_available_bytes: int) -> NodeVitals:
        """A heartbeat of a node that is well but for its memory."""
        node = self.pool.nodes[node_id]
        return NodeVitals(
            incarnation=node.incarnation,
            slots_busy=0,
            cpu_fraction=0.0,
            memory_total_bytes=1 << 30,
            memory_available_bytes=memory_available_bytes,
            temperature_c=None,
            clock_hz=None,
            batches_total=0,
            rows_total=0,
            failures_total=0,
            digests=tuple(sorted(node.held)),
        )

    def infer(
        self,
        *rows: bytes,
        model: str = "echo",
        version: str = "",
        abi: str = "",
        outputs: tuple[str, ...] = (),
        priority: int = 0,
        timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        given_id: str = "",
    ) -> asyncio.Task[InferenceResult]:
        """Send a request as a client would; the task is the caller."""
        call = InferenceCall(
            model=model,
            version=version,
            abi=abi,
            inputs=(tensor(*(rows or (b"ab",))),),
            outputs=outputs,
            priority=priority,
            timeout_s=timeout_s,
            queue_timeout_s=queue_timeout_s,
            given_id=given_id,
        )
        return asyncio.create_task(self.dataplane.infer(call))


def changed(known: ModelArtifact) -> ModelArtifact:
    """The same version with other files."""
    return replace(known, digest=f"new {known.digest}")


def lies(farm: LittleFarm, *artifacts: ModelArtifact) -> None:
    """Let the repository hold these versions of one model from now on."""
    (listing,) = listings(artifacts)
    farm.repository.listings[listing.name] = listing


def served(farm: LittleFarm, name: str = "echo") -> Mapping[int, str]:
    """The digests of a model's ready versions."""
    return {
        model.key.version: model.digest
        for model in farm.snapshots.take().models
        if model.key.name == name and model.state is ModelState.READY
    }


def reason_of(farm: LittleFarm, name: str) -> str:
    """Why a model is in its state, or nothing."""
    return next((m.reason for m in farm.snapshots.take().models if m.key.name == name), "")
