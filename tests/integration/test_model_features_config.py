"""What a model's config may ask for, over the wire, at the start, at loads and after a restart."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import feature_models
import numpy as np
import pytest
import tritonclient.grpc as triton
from farm_process import FarmProcess
from served_models import adder, write_adder, write_config
from triton_requests import given
from tritonclient.grpc import InferRequestedOutput
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.integration

X = np.arange(8, dtype=np.float32).reshape(2, 4)
ADDER_CONFIG = {
    "backend": "onnxruntime",
    "max_batch_size": 4,
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}],
    "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [4]}],
}
ABIS = """
    version_policy: { all { } }
    parameters { key: "farm.abi" value { string_value: "2" } }
    parameters { key: "farm.abi.1" value { string_value: "1.2" } }
    parameters { key: "farm.abi.2" value { string_value: "1.4" } }
    parameters { key: "farm.abi.4" value { string_value: "1.9" } }
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("configs") / "models"
    root.mkdir()
    feature_models.write_scores(root)
    feature_models.write_lookup(root, "warm", warm=1)
    feature_models.write_lookup(root, "cold", warm=7)
    feature_models.write_lookup(root, "fileless", warm=None)
    feature_models.write_external(root, "external")
    linked = feature_models.write_external(root, "linked")
    os.link(linked, root.parent / "weights-elsewhere.bin")
    write_adder(root, "plain", 1.0)
    for name, policy in (
        ("newest", ""),
        ("newest_two", "version_policy: { latest { num_versions: 2 } }"),
        ("every", "version_policy: { all { } }"),
        ("chosen", "version_policy: { specific { versions: [ 10, 2 ] } }"),
        ("contract", ABIS),
    ):
        for version in (1, 2, 3 if name == "contract" else 10):
            write_adder(root, name, float(version), version=version)
        if policy:
            write_config(root / name, policy)
    feature_models.write_unrunnable(root, "contract", version=4)
    write_adder(root, "own_contract", 0.0)
    own = root / "own_contract" / "1" / "model.onnx"
    own.write_bytes(feature_models.declare_abi(adder(5.0), "7.3"))
    write_adder(root, "renamed", 6.0)
    (root / "renamed" / "1" / "model.onnx").rename(root / "renamed" / "1" / "net.onnx")
    write_config(root / "renamed", 'default_model_filename: "net.onnx"')
    return root


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    with FarmProcess(models.parent, "--nodes", "1", "--models", str(models)) as process:
        yield process


@pytest.fixture
def client(farm: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(farm.grpc) as opened:
        yield opened


def added(client: triton.InferenceServerClient, name: str, version: str = "", abi: str = "") -> int:
    """What the adder adds that answers."""
    parameters = {"farm_model_abi": abi} if abi else None
    result = client.infer(name, [given("x", X)], model_version=version, parameters=parameters)
    [constant] = np.unique(result.as_numpy("y") - X)
    return int(constant)


def indexed(client: triton.InferenceServerClient, name: str) -> dict[str, tuple[str, str]]:
    """State and reason of a model by version."""
    index = client.get_model_repository_index()
    return {m.version: (m.state, m.reason) for m in index.models if m.name == name}


def refusal(
    client: triton.InferenceServerClient, name: str, status: str, version: str = "", abi: str = ""
) -> str:
    """The message of a request to an adder that must end in `status`."""
    with pytest.raises(InferenceServerException) as caught:
        added(client, name, version, abi)
    assert caught.value.status() == f"StatusCode.{status}"
    return str(caught.value.message())


def load_refusal(client: triton.InferenceServerClient, name: str) -> str:
    """The message of a load that must be refused."""
    with pytest.raises(InferenceServerException) as caught:
        client.load_model(name)
    assert caught.value.status() == "StatusCode.FAILED_PRECONDITION"
    return str(caught.value.message())


# -- labels -------------------------------------------------------------------------------


def classes(
    client: triton.InferenceServerClient, x: list[list[float]], output: str, count: int
) -> list[list[str]]:
    values = np.array(x, dtype=np.float32)
    wanted = [InferRequestedOutput(output, class_count=count)]
    found = client.infer("scores", [given("x", values)], outputs=wanted)
    assert found.get_output(output).datatype == "BYTES"
    return [[text.decode() for text in row] for row in found.as_numpy(output)]


def test_classes_have_the_names_of_the_label_file(client: triton.InferenceServerClient) -> None:
    x = [[0.25, 4, -1, 2], [1, 1, 3, 1]]
    assert classes(client, x, "scores", 2) == [
        ["4.000000:1:birch", "2.000000:3"],
        ["3.000000:2:cedar wood", "1.000000:0:ash"],
    ]
    assert classes(client, x, "counts", 1) == [["4:1"], ["3:2"]]
    assert classes(client, x, "halves", 1) == [["4.000000:1"], ["3.000000:2"]]
    assert [len(row) for row in classes(client, x, "scores", 100)] == [4, 4]
    unordered = classes(client, [[np.nan, 1, 2, np.nan]], "scores", 3)[0]
    assert [text.split(":")[1] for text in unordered] == ["2", "1", "0"]


def test_a_classified_output_beside_a_plain_one(client: triton.InferenceServerClient) -> None:
    outputs = [InferRequestedOutput("counts"), InferRequestedOutput("scores", class_count=1)]
    result = client.infer("scores", [given("x", X)], outputs=outputs)
    np.testing.assert_array_equal(result.as_numpy("counts"), X.astype(np.int32))
    assert result.as_numpy("scores").tolist() == [[b"3.000000:3"], [b"7.000000:3"]]


# -- warm-ups ------------------------------------------------------------------------------


def test_a_warm_up_with_a_file(client: triton.InferenceServerClient) -> None:
    x = np.array([[2], [0]], dtype=np.int64)
    answered = client.infer("warm", [given("x", x)]).as_numpy("y")
    np.testing.assert_array_equal(answered, np.array([[30], [10]], dtype=np.float32))
    # What warms it up is no inference of anybody.
    [statistics] = client.get_inference_statistics("warm").model_stats
    assert statistics.inference_count == 2


def test_a_warm_up_that_fails_refuses_the_model(
    client: triton.InferenceServerClient, models: Path
) -> None:
    state, reason = indexed(client, "cold")["1"]
    assert state == "UNAVAILABLE"
    assert "warm-up 'first'" in reason
    assert not client.is_model_ready("cold")
    assert "warm-up 'first'" in load_refusal(client, "cold")
    (models / "cold" / "warmup" / "index").write_bytes(np.array([2], np.int64).tobytes())
    client.load_model("cold")
    assert client.is_model_ready("cold")
    (models / "cold" / "warmup" / "index").write_bytes(np.array([3], np.int64).tobytes())
    assert "served still" in load_refusal(client, "cold")
    assert client.is_model_ready("cold")


def test_a_warm_up_without_its_file_refuses_the_model(client: triton.InferenceServerClient) -> None:
    [(state, reason)] = indexed(client, "fileless").values()
    assert state == "UNAVAILABLE"
    assert "fileless/warmup/index" in reason


# -- files ---------------------------------------------------------------------------------


def test_external_data_inside_the_folder_is_served(client: triton.InferenceServerClient) -> None:
    answered = client.infer("external", [given("x", X)]).as_numpy("y")
    np.testing.assert_array_equal(answered, X + np.array([1, 2, 3, 4], dtype=np.float32))


def test_external_data_with_another_hard_link_is_refused(
    client: triton.InferenceServerClient, models: Path
) -> None:
    [(state, reason)] = indexed(client, "linked").values()
    assert state == "UNAVAILABLE"
    assert "linked/1/weights.bin has 2 hard links" in reason
    assert "hard links" in load_refusal(client, "linked")
    data = models / "linked" / "1" / "weights.bin"
    content = data.read_bytes()
    data.unlink()
    assert "weights.bin" in load_refusal(client, "linked")
    data.write_bytes(content)
    client.load_model("linked")
    assert client.is_model_ready("linked")


def test_other_external_data_is_another_digest(
    client: triton.InferenceServerClient, models: Path
) -> None:
    def digest() -> str:
        response = client.infer("external", [given("x", X)]).get_response()
        return str(response.parameters["farm_model_digest"].string_param)

    before = digest()
    data = models / "external" / "1" / "weights.bin"
    data.write_bytes(np.array([9, 9, 9, 9], np.float32).tobytes())
    client.load_model("external")
    answered = client.infer("external", [given("x", X)]).as_numpy("y")
    np.testing.assert_array_equal(answered, X + 9)
    assert digest() != before


def test_a_model_of_another_file_name(client: triton.InferenceServerClient) -> None:
    assert added(client, "renamed") == 6
    assert client.get_model_config("renamed").config.default_model_filename == "net.onnx"


def test_a_model_without_a_config_describes_itself(client: triton.InferenceServerClient) -> None:
    assert added(client, "plain") == 1
    config = client.get_model_config("plain").config
    assert (config.platform, config.backend) == ("onnxruntime_onnx", "onnxruntime")
    assert config.max_batch_size == 64
    assert [(t.name, t.data_type, list(t.dims)) for t in config.input] == [("x", 11, [4])]
    assert [(t.name, t.data_type, list(t.dims)) for t in config.output] == [("y", 11, [4])]
    assert list(client.get_model_metadata("plain").inputs[0].shape) == [-1, 4]


# -- versions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "served"),
    [("newest", [10]), ("newest_two", [2, 10]), ("every", [1, 2, 10]), ("chosen", [2, 10])],
)
def test_the_version_policy_says_what_is_served(
    client: triton.InferenceServerClient, name: str, served: list[int]
) -> None:
    versions = [str(version) for version in served]
    assert list(client.get_model_metadata(name).versions) == versions
    assert [added(client, name, version) for version in versions] == served
    assert added(client, name) == 10, "the largest number, not the last by spelling"
    states = indexed(client, name)
    assert [version for version, (state, _) in states.items() if state == "READY"] == versions
    for version in {"1", "2", "10"}.difference(versions):
        assert "version_policy" in states[version][1]
        assert "version_policy" in refusal(client, name, "NOT_FOUND", version)


def test_versions_count_apart(client: triton.InferenceServerClient) -> None:
    def counts() -> dict[str, int]:
        found = client.get_inference_statistics("every").model_stats
        return {statistics.version: statistics.inference_count for statistics in found}

    before = counts()
    for version, requests in (("1", 1), ("2", 2), ("10", 3)):
        for _ in range(requests):
            added(client, "every", version)
    rows = {version: count - before[version] for version, count in counts().items()}
    assert rows == {"1": 2, "2": 4, "10": 6}


@pytest.mark.parametrize(
    ("abi", "version"),
    [
        (">=1.2,<1.4", 1),
        ("==1.4", 2),
        (">=1,<3", 3),
        ("2", 3),
        ("~=1.2", 2),
        # Version 4 says it is 1.9 and no node can open it, so the newest other one answers.
        ("1.2", 2),
        (">=1.2,<2", 2),
    ],
)
def test_a_range_of_abis_chooses_the_newest_ready_version(
    client: triton.InferenceServerClient, abi: str, version: int
) -> None:
    assert added(client, "contract", abi=abi) == version


def test_a_range_that_no_version_is_in(client: triton.InferenceServerClient) -> None:
    assert added(client, "contract") == 3, "without a range the newest ready one answers"
    message = refusal(client, "contract", "NOT_FOUND", abi="3")
    for listed in ("1 (1.2)", "2 (1.4)", "3 (2.0)"):
        assert listed in message
    assert "contract" in refusal(client, "contract", "UNAVAILABLE", abi="==1.9")
    assert "2 (1.4)" in refusal(client, "contract", "NOT_FOUND", version="2", abi="==1.2")
    assert "farm_model_abi" in refusal(client, "contract", "INVALID_ARGUMENT", abi="new")


def test_an_abi_of_the_file_or_of_the_version(client: triton.InferenceServerClient) -> None:
    assert added(client, "own_contract", abi="7.2") == 5
    refusal(client, "own_contract", "NOT_FOUND", abi="1")
    assert added(client, "newest", abi="10") == 10


# -- what was asked for, after a restart: the last tests, for the farm is a new one then ----


@pytest.fixture(scope="module")
def restarted(farm: FarmProcess, models: Path) -> FarmProcess:
    """The same farm after loads and unloads by hand and a restart."""
    with triton.InferenceServerClient(farm.grpc) as client:
        client.unload_model("plain")
        client.unload_model("every")
        client.load_model("newest", config=json.dumps(ADDER_CONFIG))
        both = {**ADDER_CONFIG, "version_policy": {"all": {}}}
        sent = {"file:1/model.onnx": adder(100.0), "file:3/model.onnx": adder(300.0)}
        client.load_model("sent", config=json.dumps(both), files=sent)
        client.load_model("chosen", config=json.dumps(both), files=sent)
        client.load_model("newest_two", config=json.dumps(ADDER_CONFIG))
        client.load_model("newest_two")
    assert farm.stop() == 0
    shutil.rmtree(models / "every" / "1")
    farm.launch()
    farm.await_ready()
    return farm


def test_what_was_unloaded_stays_unloaded(
    restarted: FarmProcess, client: triton.InferenceServerClient
) -> None:
    for name in ("plain", "every"):
        assert not client.is_model_ready(name)
        [(state, reason)] = indexed(client, name).values()
        assert (state, "unload" in reason) == ("UNAVAILABLE", True)
    client.load_model("every")
    assert [added(client, "every", version) for version in ("", "2")] == [10, 2]
    refusal(client, "every", "NOT_FOUND", "1")


def test_an_override_of_a_config_is_still_there(
    restarted: FarmProcess, client: triton.InferenceServerClient
) -> None:
    assert client.get_model_config("newest").config.max_batch_size == 4
    assert added(client, "newest") == 10
    # A load without an override was the last word on this one.
    assert client.get_model_config("newest_two").config.max_batch_size == 64
    assert list(client.get_model_metadata("newest_two").versions) == ["2", "10"]


def test_an_override_of_files_is_still_there(
    restarted: FarmProcess, client: triton.InferenceServerClient
) -> None:
    for name in ("sent", "chosen"):
        assert [added(client, name, version) for version in ("", "1", "3")] == [300, 100, 300]
    client.load_model("chosen")
    assert [added(client, "chosen", version) for version in ("", "2")] == [10, 2]
    refusal(client, "chosen", "NOT_FOUND", "3")


def test_what_was_refused_is_refused_again(
    restarted: FarmProcess, client: triton.InferenceServerClient
) -> None:
    [(state, reason)] = indexed(client, "fileless").values()
    assert (state, "fileless/warmup/index" in reason) == ("UNAVAILABLE", True)
    assert added(client, "contract") == 3
