"""Real farms for the tests of this folder."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from farm_process import FarmProcess
from served_models import copy_digits, copy_named_digits, copy_samples, write_slow

from farm import zoo
from farm.client import AsyncFarmClient, InferResult
from farm.core.errors import FarmError


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    """A farm of three nodes over the shipped zoo, for tests that leave it whole."""
    with FarmProcess(tmp_path_factory.mktemp("farm"), "--nodes", "3") as process:
        yield process


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    """A farm of one node over the sample repository, for tests that leave it whole.

    With one node the order of answers is the order of the queue.
    """
    folder = tmp_path_factory.mktemp("samples")
    models = folder / "models"
    models.mkdir()
    copy_samples(models)
    copy_digits(models)
    copy_named_digits(models, "named_digits")
    write_slow(
        models,
        "slow",
        "dynamic_batching { priority_levels: 2 default_priority_level: 2 }",
    )
    write_slow(
        models,
        "impatient",
        "dynamic_batching { default_queue_policy { max_queue_size: 1 } }",
    )
    with FarmProcess(folder, "--nodes", "1", "--models", str(models)) as process:
        yield process


@dataclass(frozen=True)
class Digits:
    """Held-out images [n,1,8,8] and what the model answers to each one alone."""

    images: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray


def local_session(model: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def answers_alone(name: str) -> Digits:
    with np.load(zoo.heldout_digits_path()) as archive:
        images = archive["images"].astype(np.float32)
    session = local_session(zoo.models_dir() / name / "1" / "model.onnx")
    alone = [
        session.run(["probabilities", "label"], {"image": images[i : i + 1]})
        for i in range(len(images))
    ]
    return Digits(
        images=images,
        probabilities=np.concatenate([answer[0] for answer in alone]),
        labels=np.concatenate([answer[1] for answer in alone]),
    )


@pytest.fixture(scope="session")
def digits() -> Digits:
    return answers_alone("digits")


@pytest.fixture(scope="session")
def digits_int8() -> Digits:
    return answers_alone("digits_int8")


# A load is warm, and a plug may be pulled, after this many answers.
WARM = 400


@dataclass
class Load:
    """Requests sent until told to stop, and what became of each."""

    address: str
    digits: Digits
    answered: int = 0
    wrong: int = 0
    errors: list[FarmError] = field(default_factory=list)
    nodes: Counter[str] = field(default_factory=Counter)
    batch_sizes: Counter[int] = field(default_factory=Counter)
    warm: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *, concurrency: int, go_on: Callable[[], bool]) -> None:
        """Send single digits from `concurrency` callers for as long as `go_on` says so."""
        async with AsyncFarmClient(self.address, retries=0) as client, asyncio.TaskGroup() as group:
            for start in range(concurrency):
                group.create_task(self._caller(client, start, go_on))

    async def _caller(self, client: AsyncFarmClient, start: int, go_on: Callable[[], bool]) -> None:
        index = start
        while go_on():
            index = (index + 1) % len(self.digits.images)
            image = self.digits.images[index : index + 1]
            try:
                result = await client.infer("digits", {"image": image}, timeout_s=30)
            except FarmError as error:
                self.errors.append(error)
            else:
                self._check(result, index)

    def _check(self, result: InferResult, index: int) -> None:
        self.answered += 1
        if self.answered >= WARM:
            self.warm.set()
        self.wrong += (
            result["probabilities"][0].tobytes() != self.digits.probabilities[index].tobytes()
        )
        self.nodes[result.receipt["node"]] += 1
        self.batch_sizes[result.receipt["batch_size"]] += 1


@pytest.fixture
def load(farm: FarmProcess, digits: Digits) -> Load:
    return Load(farm.grpc, digits)
