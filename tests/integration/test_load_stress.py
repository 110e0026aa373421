"""A model loaded and unloaded again and again beside another one's traffic."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import pytest
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess
from served_models import copy_samples, write_adder
from triton_requests import answers_to, given, numbered
from tritonclient.utils import InferenceServerException

pytestmark = [pytest.mark.integration, pytest.mark.stress, pytest.mark.timeout(900)]

ACTOR = "ray::NodeActor"
WARM_UP, CYCLES = 40, 200
CALLERS = 4
# Readings at the beginning and the end that are compared: one alone may be of a busy moment.
WINDOW = 20
FLAT = 1.05

X = np.ones((1, 4), dtype=np.float32)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    root.mkdir()
    copy_samples(root, "simple")
    write_adder(root, "guest", 0.0)
    return root


@pytest.fixture
def farm(models: Path) -> Iterator[FarmProcess]:
    # Batches wait for their window's end: with a short one as many as ever do so after the
    # warm-up, which is shorter than the usual one.
    short = {"FARM_POWER__WINDOW_S": "2"}
    repository = ("--models", str(models))
    with FarmProcess(models.parent, "--nodes", "1", *repository, environment=short) as process:
        yield process


@dataclass
class Traffic:
    """Requests to the model that stays, for as long as it is told."""

    client: triton_aio.InferenceServerClient
    answered: int = 0
    wrong: int = 0
    errors: list[InferenceServerException] = field(default_factory=list)
    ended: bool = False

    async def caller(self, start: int) -> None:
        position = start
        while not self.ended:
            position += CALLERS
            try:
                result = await self.client.infer("simple", numbered(position % 1_000))
            except InferenceServerException as error:
                self.errors.append(error)
            else:
                self.answered += 1
                self.wrong += not answers_to(position % 1_000, result)


@dataclass
class Readings:
    """What the gateway and the actor hold, cycle by cycle."""

    farm: FarmProcess
    gateway: list[int] = field(default_factory=list)
    actor: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def take(self) -> None:
        self.gateway.append(self.farm.resident_bytes())
        self.actor.append(self.farm.resident_bytes(ACTOR))
        held = [psutil.Process(self.farm.process.pid), *self.farm.children(ACTOR)]
        self.files.append(sum(process.num_fds() for process in held))
        self.threads.append(sum(process.num_threads() for process in held))


def growth(readings: list[int]) -> float:
    """The end against the beginning."""
    return median(readings[-WINDOW:]) / median(readings[:WINDOW])


def stored(folder: Path) -> int:
    """Files in the farm's state."""
    return sum(path.is_file() for path in folder.rglob("*"))


@pytest.mark.parametrize("changing", [False, True], ids=["the same files", "new files"])
async def test_loads_and_unloads_leave_traffic_and_memory_alone(
    farm: FarmProcess, models: Path, changing: bool
) -> None:
    readings = Readings(farm)
    async with triton_aio.InferenceServerClient(farm.grpc) as client:
        traffic = Traffic(client)
        async with asyncio.TaskGroup() as group:
            for start in range(CALLERS):
                group.create_task(traffic.caller(start))
            try:
                for cycle in range(WARM_UP + CYCLES):
                    constant = float(cycle) if changing else 0.0
                    write_adder(models, "guest", constant)
                    await client.load_model("guest")
                    result = await client.infer("guest", [given("x", X)])
                    assert result.as_numpy("y").tolist() == (X + constant).tolist()
                    await client.unload_model("guest")
                    assert not await client.is_model_ready("guest")
                    if cycle >= WARM_UP:
                        readings.take()
            finally:
                traffic.ended = True
        index = await client.get_model_repository_index()
    assert traffic.errors == []
    assert traffic.wrong == 0
    assert traffic.answered > CYCLES, "there was traffic"
    assert len([model for model in index.models if model.name == "guest"]) == 1
    assert growth(readings.gateway) <= FLAT, readings.gateway
    assert growth(readings.actor) <= FLAT, readings.actor
    assert growth(readings.files) <= FLAT, readings.files
    assert growth(readings.threads) <= FLAT, readings.threads
    assert stored(models.parent / "state") < 10, "what was unloaded is not kept"
