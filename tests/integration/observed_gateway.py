"""A whole gateway over invented boards that show everything boards can show, and its metrics."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from time import monotonic, sleep
from urllib.request import urlopen

from fake_pool import FakeNode, FakePool, Flight
from prometheus_client.parser import text_string_to_metric_families

from farm import zoo
from farm.app import Gateway
from farm.config import FarmConfig, PowerConfig, TracingConfig
from farm.core.errors import ErrorCode
from farm.core.nodes import NodeVitals
from farm.core.tensors import Datatype, Tensor
from farm.engine.dataplane import InferenceCall
from farm.logs import LogSwitches
from farm.repository.repository import Repository

WAIT_S = 30.0
HEARTBEAT_S = 0.1
WATTS = 5.0
NODES = ("pi-1", "pi-2", "pi-3")


@dataclass(frozen=True, kw_only=True)
class ObservedGateway:
    """Where a gateway is reached: HOST:PORT each."""

    grpc: str
    metrics: str


@dataclass(frozen=True)
class Scrape:
    """One answer of /metrics: the text, and the labels of every series by its sample's name."""

    text: str
    series: dict[str, list[dict[str, str]]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, list[dict[str, str]]] = {}
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample.labels)
        object.__setattr__(self, "series", found)


def scrape(address: str) -> Scrape:
    with urlopen(f"http://{address}/metrics", timeout=10) as page:
        return Scrape(page.read().decode())


@contextmanager
def observed_gateway(
    folder: Path, *, tracing: TracingConfig | None = None
) -> Iterator[ObservedGateway]:
    """Run a gateway that gets requests all the time; of its nodes one is soon lost."""
    told: Queue[ObservedGateway | BaseException] = Queue()
    ended = Event()

    async def main() -> None:
        async with _gateway(folder, tracing) as (gateway, pool):
            told.put(ObservedGateway(grpc=gateway.grpc_address, metrics=gateway.metrics_address))
            while not ended.is_set():
                await gateway.dataplane.infer(_call())
                # One of the nodes goes for good.
                if pool.nodes["pi-3"].up and len(pool.flights) > 1:
                    pool.kill("pi-3")
                await asyncio.sleep(HEARTBEAT_S)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            told.put(error)
            raise

    thread = Thread(target=run)
    thread.start()
    try:
        gateway = told.get(timeout=WAIT_S)
        if isinstance(gateway, BaseException):
            raise gateway
        yield gateway
    finally:
        ended.set()
        thread.join(WAIT_S)


def complete_scrape(gateway: ObservedGateway) -> Scrape:
    """Return the metrics of an observed gateway once it has counted something of everything."""
    give_up = monotonic() + WAIT_S
    while not _complete(page := scrape(gateway.metrics)):
        assert monotonic() < give_up, f"never complete:\n{page.text}"
        sleep(0.1)
    return page


def _complete(page: Scrape) -> bool:
    """Whether a window of energy is closed and the lost node is known to be lost."""
    heard = page.series.get("farm_node_power_watts", ())
    return "farm_cost_total" in page.series and {labels["node"] for labels in heard} == {
        "pi-1", "pi-2",
    }  # fmt: skip


@asynccontextmanager
async def _gateway(
    folder: Path, tracing: TracingConfig | None
) -> AsyncIterator[tuple[Gateway, FakePool]]:
    pool = FakePool(NODES)
    async with beating(pool), closing(make_gateway(folder, pool, tracing)) as gateway:
        await gateway.start()
        pool.on_execute = _fail_once
        yield gateway, pool


def make_gateway(folder: Path, pool: FakePool, tracing: TracingConfig | None = None) -> Gateway:
    """Return a gateway over invented nodes that is still to be started."""
    config = FarmConfig(
        grpc="127.0.0.1:0",
        metrics="127.0.0.1:0",
        metrics_triton=True,
        tracing=tracing,
        power=PowerConfig(currency="EUR", price_per_kwh=0.32, window_s=2, baseline=None),
    )
    repository = Repository(zoo.models_dir(), state_dir=None, scratch_dir=folder)
    return Gateway(
        config,
        pool=pool,
        repository=repository,
        listings=repository.scan(),
        curves_dir=folder / "curves",
        economics=config.power.economics({}),
        ledger_dir=folder / "ledger",
        calibrations_dir=folder / "calibrations",
        log=LogSwitches(),
    )


@asynccontextmanager
async def closing(gateway: Gateway) -> AsyncIterator[Gateway]:
    try:
        yield gateway
    finally:
        await gateway.close()


@asynccontextmanager
async def beating(pool: FakePool) -> AsyncIterator[None]:
    """Start every node, and let those that are up be heard."""
    for node_id in pool.nodes:
        pool.start(node_id)
    hearts = asyncio.create_task(_beat(pool))
    try:
        yield
    finally:
        hearts.cancel()


def _fail_once(flight: Flight) -> None:
    """Let the first batch fail, so that its request is run again elsewhere."""
    if flight.batch.id == 1:
        flight.fail(ErrorCode.INTERNAL)


def _call() -> InferenceCall:
    image = Tensor(name="x", datatype=Datatype.UINT8, shape=(1, 2), raw=b"ab")
    return InferenceCall(model="digits", version="", inputs=(image,))


async def _beat(pool: FakePool) -> None:
    beats = 0
    while True:
        beats += 1
        for node in pool.nodes.values():
            if node.up:
                pool.beat(node.node_id, _vitals(node, beats * HEARTBEAT_S))
        await asyncio.sleep(HEARTBEAT_S)


def _vitals(node: FakeNode, metered_s: float) -> NodeVitals:
    return NodeVitals(
        incarnation=node.incarnation,
        slots_busy=0,
        cpu_fraction=0.25,
        memory_total_bytes=8 << 30,
        memory_available_bytes=6 << 30,
        temperature_c=61.5,
        clock_hz=2.4e9,
        batches_total=0,
        rows_total=0,
        failures_total=0,
        digests=tuple(node.held),
        throttle_flags=0,
        meter="shelly",
        metered_j=metered_s * WATTS,
        metered_s=metered_s,
        power_w=WATTS,
    )
