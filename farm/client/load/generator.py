"""Sends one request again and again and measures what comes back."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from farm.client.load.latencies import Latencies
from farm.client.load.transports import StreamTransport, Transport, UnaryTransport
from farm.client.tls import ClientTls
from farm.core.errors import ErrorCode, FarmError
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelInferResponse

# Requests in flight at a fixed rate. A farm this far behind does not catch up; the next
# request waits, and its latency counts from when it was due.
MAX_IN_FLIGHT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What to send and for how long, after a warm-up that is not counted.

    With `rate_per_s` requests are due at the moments of a Poisson process, whatever becomes
    of earlier ones (an open loop); without it `concurrency` callers each send their next
    request when they have their answer (a closed loop).
    """

    request: ModelInferRequest
    rows: int
    concurrency: int = 1
    rate_per_s: float | None = None
    duration_s: float = 5.0
    warmup_s: float = 1.0
    timeout_s: float = 30.0
    stream: bool = False
    seed: int = 0


@dataclass(slots=True)
class LoadResult:
    """What came back. Its size does not grow with the number of requests.

    `late` is how long after its moment a request was sent, at a fixed rate. `rest` is what
    the server's queue and compute leave of a request's time: network and gateway.
    """

    plan: LoadPlan
    completed_in_time: int = 0
    latency: Latencies = field(default_factory=Latencies)
    late: Latencies = field(default_factory=Latencies)
    queue: Latencies = field(default_factory=Latencies)
    compute: Latencies = field(default_factory=Latencies)
    rest: Latencies = field(default_factory=Latencies)
    errors: Counter[ErrorCode] = field(default_factory=Counter)
    first_messages: dict[ErrorCode, str] = field(default_factory=dict)
    batch_sizes: Counter[int] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    cpu_fraction: float = 0.0

    @property
    def requests_per_s(self) -> float:
        """Requests answered within the time that was measured, a second."""
        return self.completed_in_time / self.plan.duration_s

    @property
    def rows_per_s(self) -> float:
        """Rows of those requests."""
        return self.requests_per_s * self.plan.rows

    @property
    def failed(self) -> int:
        """Requests that were answered with an error."""
        return self.errors.total()


async def run_load(
    address: str, plan: LoadPlan, *, tls: ClientTls | None = None, token: str | None = None
) -> LoadResult:
    """Send a plan's requests and return what came back.

    A closed loop counts the requests that end within the time measured; an open loop those
    due within it, and waits for them. Errors are counted, not raised.
    """
    result = LoadResult(plan)
    opened = StreamTransport if plan.stream else UnaryTransport
    transport: Transport = opened(address, tls, token)
    async with transport:
        starts = time.perf_counter() + plan.warmup_s
        run = _Run(plan, transport, result, starts, starts + plan.duration_s)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run.watch_cpu())
            if plan.rate_per_s is not None:
                tasks.create_task(run.open_loop(tasks, plan.rate_per_s))
            else:
                for _ in range(plan.concurrency):
                    tasks.create_task(run.closed_loop())
    return result


class _Run:
    """One run: its clock is `time.perf_counter`, in seconds."""

    def __init__(
        self,
        plan: LoadPlan,
        transport: Transport,
        result: LoadResult,
        starts: float,
        ends: float,
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._result = result
        self._starts = starts
        self._ends = ends
        self._message = plan.request.SerializeToString()

    async def watch_cpu(self) -> None:
        """Measure the share of one core that this process takes."""
        await asyncio.sleep(max(self._starts - time.perf_counter(), 0.0))
        began_s, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.sleep(max(self._ends - time.perf_counter(), 0.0))
        elapsed_s = time.perf_counter() - began_s
        self._result.cpu_fraction = (time.process_time() - cpu_s) / max(elapsed_s, 1e-9)

    async def closed_loop(self) -> None:
        while (sent := time.perf_counter()) < self._ends:
            await self._one(sent, lambda _due, done: self._starts <= done < self._ends)
            # A transport that fails at once must not keep the loop to itself.
            await asyncio.sleep(0)

    async def open_loop(self, tasks: asyncio.TaskGroup, rate_per_s: float) -> None:
        slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        generator = random.Random(self._plan.seed)  # noqa: S311
        due = time.perf_counter()
        while (due := due + generator.expovariate(rate_per_s)) < self._ends:
            if (early_s := due - time.perf_counter()) > 0:
                await asyncio.sleep(early_s)
            await slots.acquire()
            tasks.create_task(_then(self._one(due, self._was_due), slots.release))

    def _was_due(self, due: float, _done: float) -> bool:
        return self._starts <= due < self._ends

    async def _one(self, due: float, counts: Callable[[float, float], bool]) -> None:
        """Send one request and count it if it belongs to what is measured."""
        sent = time.perf_counter()
        try:
            answer = await self._transport.send(self._message, self._plan.timeout_s)
        except FarmError as error:
            if counts(due, time.perf_counter()):
                self._result.errors[error.code] += 1
                self._result.first_messages.setdefault(error.code, error.message)
            return
        done = time.perf_counter()
        if counts(due, done):
            self._result.late.add(sent - due)
            self._result.latency.add(done - due)
            self._result.completed_in_time += done < self._ends
            self._count(answer, done - sent)

    def _count(self, answer: ModelInferResponse, took_s: float) -> None:
        parameters = answer.parameters
        if "farm_node" not in parameters:
            return
        result = self._result
        queue_s = parameters["farm_queue_us"].int64_param / 1e6
        compute_s = parameters["farm_compute_us"].int64_param / 1e6
        result.queue.add(queue_s)
        result.compute.add(compute_s)
        result.rest.add(took_s - queue_s - compute_s)
        result.batch_sizes[parameters["farm_batch_size"].int64_param] += 1
        result.nodes[parameters["farm_node"].string_param] += 1


async def _then(work: Awaitable[None], after: Callable[[], None]) -> None:
    try:
        await work
    finally:
        after()
