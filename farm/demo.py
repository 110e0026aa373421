"""What `farm demo` does: a real farm, real requests, every answer checked."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from farm import zoo
from farm.client import AdminClient, AsyncFarmClient, InferResult, ReceiptView
from farm.core.errors import FarmError, UnreachableError
from farm.core.ledger import LedgerFigures, LedgerQuery
from farm.energy.baselines import Baseline, BaselinePrice, Workload, price
from farm.energy.catalogue import shipped_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "digits"

# The farm's answers may differ from the local model's by rounding in another order.
RTOL, ATOL = 1e-4, 1e-5

# What power is taken to cost, as nobody is asked: USD a kWh of US households in 2023.
PRICE_PER_KWH, PRICE_BASIS = 0.1598, "assumed: US households, 2023"
BASELINES = ("aws-lambda-arm64", "aws-c7g-medium")

# The shortest window: the demo waits for the last one to be settled.
_POWER = {
    "FARM_POWER__CURRENCY": "USD",
    "FARM_POWER__PRICE_PER_KWH": str(PRICE_PER_KWH),
    "FARM_POWER__WINDOW_S": "2",
}
_SETTLED_S = 30.0
_LOOK_S = 0.5

_STOP_TIMEOUT_S = 40.0
_LOG_TAIL = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Held-out images [n,1,8,8] with pixels 0 to 16, what they show, and what the model
    answers when it runs here, alone, one image at a time: probabilities [n,10]."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    expected: NDArray[np.float32]


@dataclass(slots=True)
class Outcome:
    """What came back. Latencies are seconds as the client saw them."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    batch_sizes: Counter[int] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    correct: int = 0
    wrong: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    receipt: ReceiptView | None = None

    @property
    def ok(self) -> bool:
        """Whether every request was answered as the local model answers it."""
        return bool(self.latencies) and not self.wrong and not self.failures

    def percentile_s(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent)) if self.latencies else 0.0


def load_digits() -> Digits:
    """Read the held-out digits and run the model on them in this process."""
    from farm.node.sessions import Session

    with np.load(zoo.heldout_digits_path(), allow_pickle=False) as archive:
        images = archive["images"].astype(np.float32)
        labels = archive["labels"]
    session = Session(zoo.models_dir() / MODEL / "1" / "model.onnx", threads=1)
    position = session.output_names.index("probabilities")
    expected = [
        session.run(MODEL, {"image": images[index : index + 1]})[position]
        for index in range(len(images))
    ]
    return Digits(
        images=images, labels=labels, expected=np.concatenate(expected).astype(np.float32)
    )


@contextmanager
def running_farm(nodes: int) -> "Iterator[str]":
    """Run `farm up` on free ports and yield its gRPC address; drain and stop it after.

    Raises:
        UnreachableError: it did not start; the message ends with its last words.
    """
    command = [sys.executable, "-m", "farm", "up", "--nodes", str(nodes)]
    ports = ["--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, *ports],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            # The demo shows the shipped models on the shipped settings.
            env={k: v for k, v in os.environ.items() if not k.startswith("FARM_")} | _POWER,
        )
        try:
            yield _await_ready(process, log)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def settled_usage(address: str, rows: int, since_unix_ns: int) -> LedgerFigures:
    """Return what so many digits took, once the farm's ledger has them all.

    Raises:
        UnreachableError: it did not have them in time, or the farm went away.
    """
    query = LedgerQuery(since_unix_ns=since_unix_ns, until_unix_ns=0)
    give_up = time.monotonic() + _SETTLED_S
    with AdminClient(address) as admin:
        while True:
            figures = admin.ledger(query).figures
            if figures and figures[0].rows >= rows:
                return figures[0]
            if time.monotonic() > give_up:
                raise UnreachableError(
                    f"after {_SETTLED_S:g} s the ledger still lacks some of the {rows} digits; the"
                    " farm's log may say why"
                )
            time.sleep(_LOOK_S)


def baseline_prices(outcome: Outcome, figures: LedgerFigures) -> list[tuple[Baseline, float]]:
    """Return baselines and what each asks for the same digits in the same time, in USD."""
    work = Workload(
        requests=figures.counts.answered,
        seconds=outcome.seconds,
        compute_s=figures.usage.reference_s,
        request_bytes=figures.counts.request_bytes,
        response_bytes=figures.counts.response_bytes,
    )
    known = shipped_catalogue()
    prices = [(known.baseline(name), price(known.baseline(name), work)) for name in BASELINES]
    return [(each, asked.total) for each, asked in prices if isinstance(asked, BaselinePrice)]


async def send_digits(
    address: str,
    digits: Digits,
    *,
    requests: int,
    concurrency: int,
    on_reply: Callable[[], None],
) -> Outcome:
    """Send single images, `concurrency` at a time, and check every answer."""
    outcome = Outcome()
    pending = iter(range(requests))
    async with AsyncFarmClient(address) as client:

        async def worker() -> None:
            for number in pending:
                await _send_one(client, digits, number % len(digits.images), outcome)
                on_reply()

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        outcome.seconds = time.perf_counter() - started
    return outcome


async def _send_one(client: AsyncFarmClient, digits: Digits, index: int, outcome: Outcome) -> None:
    image = digits.images[index : index + 1]
    started = time.perf_counter()
    try:
        result = await client.infer(MODEL, {"image": image}, timeout_s=30.0)
    except FarmError as error:
        outcome.failures[error.message] += 1
        return
    outcome.latencies.append(time.perf_counter() - started)
    _judge(result, digits, index, outcome)


def _judge(result: InferResult, digits: Digits, index: int, outcome: Outcome) -> None:
    answer = result["probabilities"][0]
    expected = digits.expected[index]
    agrees = bool(np.allclose(answer, expected, rtol=RTOL, atol=ATOL))
    label = int(result["label"][0])
    if not agrees or label != int(np.argmax(expected)):
        outcome.wrong += 1
    outcome.correct += label == int(digits.labels[index])
    outcome.batch_sizes[int(result.receipt["batch_size"])] += 1
    outcome.nodes[str(result.receipt["node"])] += 1
    outcome.receipt = result.receipt


def _await_ready(process: "subprocess.Popen[str]", log: IO[str]) -> str:
    """Return the gRPC address from the ready line.

    `farm up` bounds its own start and exits when it fails, which ends the read.
    """
    for line in process.stdout or ():
        if line.startswith("ready "):
            fields = dict(word.split("=", 1) for word in line.split()[1:])
            return fields["grpc"]
    process.wait()
    log.seek(0)
    raise UnreachableError(f"the farm did not start:\n{log.read()[-_LOG_TAIL:]}")
