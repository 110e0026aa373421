"""Repository control through tritonclient: load, reload, unload, overrides, the index."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess
from served_models import adder, copy_samples, write_adder, write_config
from triton_requests import COUNT, ONES, given, numbered, pair
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.integration

X = np.arange(8, dtype=np.float32).reshape(2, 4)
ADDER_CONFIG = json.dumps(
    {
        "backend": "onnxruntime",
        "max_batch_size": 4,
        "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}],
        "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [4]}],
    }
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("control") / "models"
    root.mkdir()
    copy_samples(root)
    write_adder(root, "plus", 1.0)
    return root


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    with FarmProcess(models.parent, "--nodes", "2", "--models", str(models)) as process:
        yield process


@pytest.fixture(scope="module")
def client(farm: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(farm.grpc) as opened:
        yield opened


def added(client: triton.InferenceServerClient, name: str, version: str = "") -> float:
    """What the adder adds now."""
    result = client.infer(name, [given("x", X)], model_version=version)
    [constant] = np.unique(result.as_numpy("y") - X)
    return float(constant)


def digest(client: triton.InferenceServerClient, name: str) -> str:
    response = client.infer(name, [given("x", X)]).get_response()
    return response.parameters["farm_model_digest"].string_param


def indexed(client: triton.InferenceServerClient) -> dict[tuple[str, str], tuple[str, str]]:
    """State and reason by model and version."""
    index = client.get_model_repository_index()
    return {(m.name, m.version): (m.state, m.reason) for m in index.models}


def refused(client: triton.InferenceServerClient, name: str, **options: object) -> tuple[str, str]:
    """The status and message of a load that must fail."""
    with pytest.raises(InferenceServerException) as caught:
        client.load_model(name, **options)
    assert "Traceback" not in caught.value.message()
    return caught.value.status().removeprefix("StatusCode."), caught.value.message()


def test_index_lists_the_repository(client: triton.InferenceServerClient) -> None:
    states = indexed(client)
    for name in ("simple", "simple_string", "simple_identity", "plus"):
        assert states[name, "1"] == ("READY", "")
    as_json = client.get_model_repository_index(as_json=True)["models"]
    assert {"name": "simple", "version": "1", "state": "READY"} in as_json


def test_a_model_put_there_later_is_served_once_it_is_loaded(
    client: triton.InferenceServerClient, models: Path
) -> None:
    write_adder(models, "later", 7.0)
    assert not client.is_model_ready("later")
    client.load_model("later")
    # Loaded means loaded: no waiting between the answer and the first request.
    assert added(client, "later") == 7
    assert client.is_model_ready("later")
    assert indexed(client)["later", "1"][0] == "READY"


def test_unload_and_load_again(client: triton.InferenceServerClient) -> None:
    client.unload_model("plus")
    assert not client.is_model_ready("plus")
    [(state, reason)] = [found for (name, _), found in indexed(client).items() if name == "plus"]
    assert state == "UNAVAILABLE"
    assert "unload" in reason
    with pytest.raises(InferenceServerException) as caught:
        added(client, "plus")
    assert caught.value.status() == "StatusCode.UNAVAILABLE"
    assert "'plus'" in caught.value.message()
    client.unload_model("plus")
    client.load_model("plus")
    assert added(client, "plus") == 1
    client.unload_model("plus", unload_dependents=True)
    client.load_model("plus")
    assert added(client, "plus") == 1


def test_a_reload_serves_the_new_file(client: triton.InferenceServerClient, models: Path) -> None:
    write_adder(models, "changing", 1.0)
    client.load_model("changing")
    before = digest(client, "changing")
    write_adder(models, "changing", 2.0)
    assert added(client, "changing") == 1, "nothing changes before it is told to"
    client.load_model("changing")
    assert added(client, "changing") == 2
    assert digest(client, "changing") != before


def test_a_failed_reload_leaves_the_old_file_serving(
    client: triton.InferenceServerClient, models: Path
) -> None:
    write_adder(models, "fragile", 3.0)
    client.load_model("fragile")
    model = models / "fragile" / "1" / "model.onnx"
    good = model.read_bytes()
    for bad in (b"", b"\x08\x08 no model" * 20, good[: len(good) // 2]):
        model.write_bytes(bad)
        status, message = refused(client, "fragile")
        assert status == "FAILED_PRECONDITION"
        assert "fragile" in message
        assert str(models) not in message
        assert added(client, "fragile") == 3
        assert client.is_model_ready("fragile")
    shutil.rmtree(models / "fragile" / "1")
    assert refused(client, "fragile")[0] == "FAILED_PRECONDITION"
    assert added(client, "fragile") == 3


def test_versions_side_by_side(client: triton.InferenceServerClient, models: Path) -> None:
    for version, constant in ((1, 10.0), (2, 20.0), (5, 50.0)):
        write_adder(models, "versions", constant, version=version)
    client.load_model("versions")
    assert list(client.get_model_metadata("versions").versions) == ["5"]
    assert added(client, "versions") == 50
    write_config(models / "versions", "version_policy: { specific { versions: [1, 5] } }")
    client.load_model("versions")
    assert [added(client, "versions", v) for v in ("", "1", "5")] == [50, 10, 50]
    assert list(client.get_model_metadata("versions").versions) == ["1", "5"]
    with pytest.raises(InferenceServerException) as caught:
        added(client, "versions", "2")
    assert caught.value.status() in ("StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE")
    write_config(models / "versions", "version_policy: { all { } }")
    client.load_model("versions")
    assert [added(client, "versions", v) for v in ("1", "2", "5")] == [10, 20, 50]


def test_a_config_override_lasts_until_the_next_load(
    client: triton.InferenceServerClient,
) -> None:
    config = client.get_model_config("simple", as_json=True)["config"]
    config["max_batch_size"] = 4
    client.load_model("simple", config=json.dumps(config))
    assert client.get_model_config("simple").config.max_batch_size == 4
    client.infer("simple", numbered(1, rows=4))
    with pytest.raises(InferenceServerException) as caught:
        client.infer("simple", numbered(1, rows=5))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    client.load_model("simple")
    assert client.get_model_config("simple").config.max_batch_size == 8
    client.infer("simple", numbered(1, rows=5))


def test_a_file_override_needs_no_folder(client: triton.InferenceServerClient) -> None:
    files = {"file:1/model.onnx": adder(100.0), "file:3/model.onnx": adder(300.0)}
    policy = {**json.loads(ADDER_CONFIG), "version_policy": {"all": {}}}
    client.load_model("sent", config=json.dumps(policy), files=files)
    assert [added(client, "sent", v) for v in ("", "1", "3")] == [300, 100, 300]
    client.load_model("sent", config=ADDER_CONFIG, files={"file:9/model.onnx": adder(900.0)})
    assert added(client, "sent") == 900
    assert list(client.get_model_metadata("sent").versions) == ["9"]
    client.unload_model("sent")
    assert not client.is_model_ready("sent")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"config": "{"}, "config", id="no JSON"),
        pytest.param({"config": '{"max_batch_sizes": 4}'}, "max_batch_sizes", id="unknown field"),
        pytest.param({"files": {"file:1/model.onnx": b"x"}}, "config", id="files alone"),
        pytest.param(
            {"config": ADDER_CONFIG, "files": {"file:../1/model.onnx": b"x"}}, "..", id="climbing"
        ),
        pytest.param(
            {"config": ADDER_CONFIG, "files": {"file:/1/model.onnx": b"x"}}, "/1/", id="absolute"
        ),
        pytest.param(
            {"config": ADDER_CONFIG, "files": {"1/model.onnx": b"x"}}, "1/model.onnx", id="unnamed"
        ),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(
    client: triton.InferenceServerClient, options: dict[str, object], words: str
) -> None:
    status, message = refused(client, "odd", **options)
    assert status in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND")
    assert words in message
    assert ("odd", "1") not in indexed(client)


def test_a_config_that_would_change_results_is_refused_by_its_field(
    client: triton.InferenceServerClient,
) -> None:
    config = client.get_model_config("simple", as_json=True)["config"]
    config.pop("dynamic_batching", None)
    config["sequence_batching"] = {"max_sequence_idle_microseconds": 1000}
    status, message = refused(client, "simple", config=json.dumps(config))
    assert status == "FAILED_PRECONDITION"
    assert "sequence_batching" in message
    np.testing.assert_array_equal(
        client.infer("simple", pair(COUNT, ONES)).as_numpy("OUTPUT0"), COUNT + ONES
    )


def test_names_that_nobody_knows(client: triton.InferenceServerClient) -> None:
    assert refused(client, "nobody")[0] == "NOT_FOUND"
    assert refused(client, "../plus")[0] in ("NOT_FOUND", "INVALID_ARGUMENT")
    with pytest.raises(InferenceServerException) as caught:
        client.unload_model("nobody")
    assert caught.value.status() == "StatusCode.NOT_FOUND"


async def test_the_aio_client(farm: FarmProcess, models: Path) -> None:
    write_adder(models, "asynchronous", 4.0)
    async with triton_aio.InferenceServerClient(farm.grpc) as client:
        await client.load_model("asynchronous")
        result = await client.infer("asynchronous", [given("x", X)])
        np.testing.assert_array_equal(result.as_numpy("y"), X + 4)
        await client.unload_model("asynchronous")
        assert not await client.is_model_ready("asynchronous")


def test_what_was_wished_for_survives_a_restart(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_adder(models, "kept", 1.0)
    write_adder(models, "unwanted", 2.0)
    arguments = ("--nodes", "1", "--models", str(models))
    with (
        FarmProcess(tmp_path, *arguments) as farm,
        triton.InferenceServerClient(farm.grpc) as client,
    ):
        client.unload_model("unwanted")
        client.load_model("sent", config=ADDER_CONFIG, files={"file:1/model.onnx": adder(9.0)})
        client.load_model("kept", config=ADDER_CONFIG)
    with (
        FarmProcess(tmp_path, *arguments) as farm,
        triton.InferenceServerClient(farm.grpc) as client,
    ):
        assert added(client, "kept") == 1
        assert client.get_model_config("kept").config.max_batch_size == 4
        assert added(client, "sent") == 9
        assert not client.is_model_ready("unwanted")
        client.load_model("unwanted")
        assert added(client, "unwanted") == 2
