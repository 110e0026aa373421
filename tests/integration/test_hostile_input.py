"""What comes from outside and means harm: bombs, paths, names that forge lines or labels."""

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest
from farm_process import FarmProcess, wait_until
from feature_models import FLOAT, INT64, write_graph
from metrics_page import counted
from onnx import helper
from prometheus_client.parser import text_string_to_metric_families
from served_models import copy_digits

from farm.client import AdminClient
from farm.frontend.limits import LIMITS
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
)
from farm.pb.services import INFERENCE_SERVICE

pytestmark = [pytest.mark.integration, pytest.mark.doors]

INFER = f"/{INFERENCE_SERVICE}/ModelInfer"
LOAD = f"/{INFERENCE_SERVICE}/RepositoryModelLoad"
UNLOAD = f"/{INFERENCE_SERVICE}/RepositoryModelUnload"
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED

MESSAGE_BYTES = 16 << 20
# What a refused message of that size may leave behind: itself and a copy or two, not forty.
GROWTH_BYTES = 200 << 20

STEERS = 'x\n{"event": "forged"}\n\r\x1b[2J\x1b]0;t\x07\u202eder\u2028\0'
OUTSIDE = "what nobody serves"

Call = Callable[[str, bytes], bytes]


def write_zeros(root: Path) -> None:
    """`zeros` answers as many as it is asked for: COUNT INT64 [1] to ZEROS FP32 [n]."""
    write_graph(
        root / "zeros",
        [helper.make_node("ConstantOfShape", ["count"], ["zeros"])],
        [("count", INT64, [1])],
        [("zeros", FLOAT, ["n"])],
    )


def write_hostile_folders(root: Path, outside: Path) -> None:
    """What somebody may leave in a repository that is written to by many."""
    outside.mkdir()
    (outside / "model.onnx").write_text(OUTSIDE)
    (outside / "1").mkdir()
    (outside / "1" / "model.onnx").write_text(OUTSIDE)
    (root / "linked").symlink_to(outside)
    (root / "linked-version").mkdir()
    (root / "linked-version" / "1").symlink_to(outside / "1")
    (root / "linked-file" / "1").mkdir(parents=True)
    (root / "linked-file" / "1" / "model.onnx").symlink_to(outside / "model.onnx")
    (root / "linked-config" / "1").mkdir(parents=True)
    (root / "linked-config" / "config.pbtxt").symlink_to(outside / "model.onnx")
    for name in ("x\n\x1b[2J", "\u202e", "y" * 129, "back\\slash"):
        (root / name / "1").mkdir(parents=True)


# Odd, and names all the same: `ls` of a shell is not what reads them.
ODD_NAMES = ("CON", "~", "d\u0456gits", "$(reboot)", "a'; DROP TABLE batches; --", "<b>")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("hostile")
    models = folder / "models"
    models.mkdir()
    copy_digits(models)
    write_zeros(models)
    for name in ODD_NAMES:
        copy_digits(folder)
        (folder / "digits").rename(models / name)
    write_hostile_folders(models, folder / "outside")
    with FarmProcess(
        folder,
        "--nodes",
        "1",
        "--models",
        str(models),
        environment={"FARM_MAX_MESSAGE_BYTES": str(MESSAGE_BYTES)},
    ) as process:
        yield process


@pytest.fixture(scope="module")
def call(farm: FarmProcess) -> Iterator[Call]:
    """Calls a method with bytes as they are."""
    unlimited = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
    ]
    with grpc.insecure_channel(farm.grpc, options=unlimited) as channel:

        def made(method: str, raw: bytes, **options: object) -> bytes:
            reply: bytes = channel.unary_unary(method)(raw, timeout=90, **options)
            return reply

        yield made


def refusal(call: Call, method: str, raw: bytes, **options: object) -> tuple[grpc.StatusCode, str]:
    """How a call is refused; the next good one is answered."""
    with pytest.raises(grpc.RpcError) as caught:
        call(method, raw, **options)
    assert call(INFER, digit("digits"))
    return caught.value.code(), caught.value.details()


def digit(model: str) -> bytes:
    request = ModelInferRequest(model_name=model)
    request.inputs.add(name="image", datatype="FP32", shape=[1, 1, 8, 8])
    request.raw_input_contents.append(bytes(256))
    return request.SerializeToString()


def zeros(count: int) -> bytes:
    request = ModelInferRequest(model_name="zeros")
    request.inputs.add(name="count", datatype="INT64", shape=[1])
    request.raw_input_contents.append(count.to_bytes(8, "little"))
    return request.SerializeToString()


# -- bombs -------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_message_is_measured_once_it_is_decompressed(
    farm: FarmProcess, call: Call, compression: grpc.Compression
) -> None:
    before = farm.resident_bytes()
    bomb = bytes(40 * MESSAGE_BYTES)
    assert len(zlib.compress(bomb)) < MESSAGE_BYTES // 10
    code, words = refusal(call, INFER, bomb, compression=compression)
    assert code is EXHAUSTED
    assert "larger than max" in words
    assert farm.resident_bytes() < before + GROWTH_BYTES
    # What is no larger when it is decompressed is read.
    assert call(INFER, digit("digits"), compression=compression)


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param(b"\x2a\0", id="inputs"),
        pytest.param(b"\x32\0", id="outputs"),
        pytest.param(b"\x22\0", id="parameters"),
        pytest.param(b"\x3a\0", id="raw contents"),
    ],
)
def test_a_message_that_would_be_enormous_once_it_is_read_is_not(
    farm: FarmProcess, call: Call, unit: bytes
) -> None:
    """As inputs of two bytes each it would come to some 600 MB."""
    before = farm.resident_bytes()
    code, words = refusal(call, INFER, unit * (MESSAGE_BYTES // 2 - 1))
    assert code is INVALID
    assert "more than 100000 fields" in words
    assert farm.resident_bytes() < before + GROWTH_BYTES


def nested(depth: int) -> bytes:
    """A message in a message, and so on, as deep as that."""
    raw = b""
    for _ in range(depth):
        length, prefix = len(raw), b"\x2a"
        while length > 0x7F:
            prefix += bytes([length & 0x7F | 0x80])
            length >>= 7
        raw = prefix + bytes([length]) + raw
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(nested(5_000), id="messages"),
        pytest.param(b"\x7b" * 100_000 + b"\x7c" * 100_000, id="groups"),
        pytest.param(b"\x7b" * 1_000_000, id="groups without an end"),
    ],
)
def test_a_deeply_nested_message_is_refused_in_words(call: Call, raw: bytes) -> None:
    code, words = refusal(call, INFER, raw)
    assert code in (INVALID, NOT_FOUND)
    assert words


@pytest.mark.parametrize(
    "config",
    [
        pytest.param("[" * 500_000, id="lists"),
        pytest.param('{"parameters":' * 100_000, id="objects"),
        pytest.param('{"max_batch_size": ' + "9" * 500_000 + "}", id="a number"),
        pytest.param('{"input": [' + '{"name":"x"},' * 20_000 + "{}]}", id="inputs"),
        pytest.param("[" * 2_000_000, id="more than a config may have"),
    ],
)
def test_so_is_a_config_that_is_hard_to_read(call: Call, config: str) -> None:
    request = RepositoryModelLoadRequest(model_name="digits")
    request.parameters["config"].string_param = config
    code, words = refusal(call, LOAD, request.SerializeToString())
    assert code in (INVALID, grpc.StatusCode.FAILED_PRECONDITION)
    assert len(words) <= 1_000


def test_an_answer_is_no_larger_than_a_message_may_be(call: Call) -> None:
    most = MESSAGE_BYTES // 4
    answer = ModelInferResponse.FromString(call(INFER, zeros(most)))
    assert len(answer.raw_output_contents[0]) == MESSAGE_BYTES
    code, words = refusal(call, INFER, zeros(most + 1))
    assert code is INVALID
    assert f"answered {MESSAGE_BYTES + 4} bytes" in words
    assert "max_message_bytes" in words


def test_a_request_of_everything_too_much_is_refused(call: Call) -> None:
    many = ModelInferRequest.FromString(digit("digits"))
    for number in range(LIMITS.max_parameters + 1):
        many.parameters[str(number)].bool_param = True
    assert refusal(call, INFER, many.SerializeToString())[0] is INVALID
    deep = ModelInferRequest.FromString(digit("digits"))
    deep.inputs[0].shape[:] = [1] * 1_000
    code, words = refusal(call, INFER, deep.SerializeToString())
    assert (code, "1000 dimensions, and 32" in words) == (INVALID, True)


# -- paths -------------------------------------------------------------------------------

PATHS = (
    "..", ".", "../outside", "/etc", "/etc/passwd", "../../../../../../etc", "linked",
    "linked-version", "linked-file", "linked-config", "digits/1", "digits/../digits", "./digits",
    "digits\\1", "..\\outside", "%2e%2e/outside", "\uff0e\uff0e/outside", "..\u2215outside",
    "\u2025/outside", "digits\0", "\0", "x" * 1_000, "z" * 129, "file:///etc", " digits",
    "digits ", ".overrides", "\u202edigits",
)  # fmt: skip


def files_of(folder: Path) -> dict[str, int]:
    """Every file below a folder but what the farm keeps for itself there."""
    return {
        str(path.relative_to(folder)): path.lstat().st_size
        for path in folder.rglob("*")
        if not path.is_dir() and path.name != "farm-up.log" and "state" not in path.parts
    }


@pytest.mark.parametrize("name", PATHS, ids=ascii)
def test_no_name_of_a_model_leads_out_of_the_repository(
    farm: FarmProcess, call: Call, name: str
) -> None:
    folder = farm.log_file.parent
    before = files_of(folder)
    model = (folder / "models" / "digits" / "1" / "model.onnx").read_bytes()
    load = RepositoryModelLoadRequest(model_name=name)
    brought = RepositoryModelLoadRequest(model_name=name)
    brought.parameters["config"].string_param = "{}"
    brought.parameters["file:1/model.onnx"].bytes_param = model
    unload = RepositoryModelUnloadRequest(model_name=name)
    calls = [(INFER, digit(name)), (LOAD, load.SerializeToString())]
    # What is linked has a name that is one, and may be unloaded and brought.
    if not name.startswith("linked"):
        calls += [(LOAD, brought.SerializeToString()), (UNLOAD, unload.SerializeToString())]
    for method, raw in calls:
        code, words = refusal(call, method, raw)
        assert code in (
            INVALID,
            NOT_FOUND,
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.UNAVAILABLE,
        ), (method, code, words)
        assert OUTSIDE not in words
        assert str(folder) not in words
        assert "root:" not in words
    assert files_of(folder) == before


@pytest.mark.parametrize(
    "path",
    [
        "../model.onnx", "1/../../model.onnx", "/etc/x", "1//etc/x", "1/\0", "1/a\nb", "1/.hidden",
        "..", "1/..", "0/model.onnx", "01/model.onnx", "\u0661/model.onnx", "1/../2/model.onnx",
        "1\\model.onnx", "1/" + "x" * 300, "1/" + "x/" * 300 + "x", "", "1", "1/", "~/model.onnx",
        "1/\u202emodel.onnx", "config.pbtxt", "C:/model.onnx", "9" * 30 + "/model.onnx",
    ],
    ids=ascii,
)  # fmt: skip
def test_no_file_of_a_load_lands_where_it_should_not(
    farm: FarmProcess, call: Call, path: str
) -> None:
    folder = farm.log_file.parent
    before = files_of(folder)
    request = RepositoryModelLoadRequest(model_name="brought")
    request.parameters["config"].string_param = "{}"
    request.parameters[f"file:{path}"].bytes_param = b"x"
    code, words = refusal(call, LOAD, request.SerializeToString())
    assert code is INVALID
    assert "cannot be a file of a model" in words
    assert words.isprintable()
    assert files_of(folder) == before


def test_odd_names_are_served_and_those_that_steer_are_not(farm: FarmProcess, call: Call) -> None:
    for name in ODD_NAMES:
        answer = ModelInferResponse.FromString(call(INFER, digit(name)))
        assert answer.model_name == name
    for name in ("x\n\x1b[2J", "\u202e", "y" * 129, "back\\slash"):
        assert refusal(call, INFER, digit(name))[0] in (NOT_FOUND, grpc.StatusCode.UNAVAILABLE)
    with AdminClient(farm.grpc) as admin:
        models = {model.name: model for model in admin.snapshot().models}
    assert all(name.isprintable() for name in models)
    for name in ("linked", "linked-version", "linked-file", "linked-config"):
        assert "symbolic link" in models[name].reason


# -- names of others in the log, the metrics, the terminal ---------------------------------


def test_each_line_of_the_log_is_one_line_of_json(farm: FarmProcess, call: Call) -> None:
    with AdminClient(farm.grpc) as admin:
        admin.log_settings({"log_verbose_level": 1})
    for text in (STEERS, STEERS * 20, "x" * 100_000):
        request = ModelInferRequest.FromString(digit("digits"))
        request.id = request.model_name = text
        request.inputs[0].name = request.inputs[0].datatype = text
        request.parameters[text].string_param = text
        refusal(call, INFER, request.SerializeToString())
        for method, kind in (
            (LOAD, RepositoryModelLoadRequest),
            (UNLOAD, RepositoryModelUnloadRequest),
        ):
            asked = kind(model_name=text)
            asked.parameters[text].bool_param = True
            refusal(call, method, asked.SerializeToString(), metadata=(("traceparent", "x\ty"),))
        wait_until(lambda: "operator_acted" in farm.log(), timeout_s=30, what="the act is logged")
    lines = farm.log().splitlines()
    assert len(lines) > 5
    logged = [line for line in lines if line.startswith("{")]
    for line in logged:
        json.loads(line)
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 20_000
        assert json.loads(line).get("event") != "forged"
    assert not any("forged" in line for line in lines if line not in logged)
    assert "\x1b[2J" not in farm.log()
    with AdminClient(farm.grpc) as admin:
        admin.log_settings({"log_verbose_level": 0})


def test_a_name_that_a_client_makes_up_becomes_no_label(farm: FarmProcess, call: Call) -> None:
    def families() -> dict[str, int]:
        with urlopen(f"http://{farm.metrics}/metrics", timeout=30) as page:
            text = page.read().decode()
        assert "made-up" not in text
        assert "\x1b" not in text
        return {family.name: len(family.samples) for family in text_string_to_metric_families(text)}

    refusal(call, INFER, digit("made-up"))
    before = families()
    refused = counted(farm.metrics, "farm_errors_total")
    for number in range(20):
        name = f'made-up{number}"}} 1\nfarm_forged{{x="{STEERS}'
        refusal(call, INFER, digit(name))
    assert counted(farm.metrics, "farm_errors_total") == refused + 20
    assert families() == before


@pytest.mark.parametrize("command", [("models", "ls"), ("report",), ("nodes", "ls")])
def test_no_command_lets_a_name_steer_the_terminal(
    farm: FarmProcess, command: tuple[str, ...], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "farm", *command],
        capture_output=True,
        timeout=100,
        check=False,
        env={**os.environ, "FARM_CONNECT": farm.grpc, "FARM_HOME": str(tmp_path), "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr.decode()
    assert all(line.isprintable() for line in done.stdout.decode().splitlines())
    if command == ("models", "ls"):
        assert r"x\n\x1b[2J" in done.stdout.decode()


def test_names_are_only_text_in_the_page_of_a_report(farm: FarmProcess, tmp_path: Path) -> None:
    def page() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "farm", "report", "--output", "html"],
            capture_output=True,
            timeout=100,
            check=False,
            env={**os.environ, "FARM_CONNECT": farm.grpc, "FARM_HOME": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    with AdminClient(farm.grpc) as admin:
        assert {entry.name for entry in admin.snapshot().models} >= set(ODD_NAMES)
    wait_until(lambda: "&lt;b&gt;" in page(), timeout_s=60, what="the window is settled")
    written = page()
    assert "<b>" not in written
    assert "DROP TABLE batches" in written
