"""ONNX files with something wrong in them, loaded over the wire: refused in words, or served.

Each is tried in a child process on the node; whatever it does there, the node stays.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from barrage import Barrage, Shot
from farm_process import FarmProcess
from seeds import MODEL, ONNX_WORDS, load_of
from served_models import copy_samples
from tampering import tampered

from farm.client import AdminClient
from farm.client.channel import inference_methods

LOAD = inference_methods()["RepositoryModelLoad"].path
ACTOR = "ray::NodeActor"

COUNT = 500
VOLLEY = 10
SEED = 0
_GROWTH = 0.10


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("fuzz-models")
    models = folder / "models"
    models.mkdir()
    copy_samples(models, "simple")
    with FarmProcess(folder, "--nodes", "1", "--models", str(models)) as process:
        yield process


@pytest.mark.fuzz
@pytest.mark.timeout(1_800)
def test_models_with_something_wrong(farm: FarmProcess) -> None:
    random = Random(SEED)
    asyncio.run(fired(farm, random, COUNT // 5))
    memory = farm.resident_bytes(ACTOR)
    with AdminClient(farm.grpc) as admin:
        [before] = admin.snapshot().nodes
        asyncio.run(fired(farm, random, COUNT - COUNT // 5))
        [after] = admin.snapshot().nodes
    assert (after.state, after.incarnation) == ("ready", before.incarnation)
    assert farm.resident_bytes(ACTOR) <= memory * (1 + _GROWTH)
    assert "unexpected_exception" not in farm.log()


async def fired(farm: FarmProcess, random: Random, count: int) -> None:
    barrage = Barrage(farm.grpc, secrets=(str(Path(farm.log_file).parent), "/ray/", "/onnxruntime"))
    await barrage.open()
    for _ in range(count // VOLLEY):
        models = [tampered(MODEL, random, ONNX_WORDS) for _ in range(VOLLEY)]
        await barrage.fire([Shot(LOAD, load_of(m).SerializeToString()) for m in models], [])
        await barrage.check()
    await barrage.close()
    assert {"OK", "FAILED_PRECONDITION"} <= set(barrage.statuses)
