"""`farm models`: describe, load, unload and profile, as an operator sees them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from fake_gateway import FakeGateway, running_gateway
from typer.testing import CliRunner

from farm.cli import model_control
from farm.cli.main import app
from farm.core.errors import LoadFailedError, ModelNotFoundError, PermissionDeniedError
from farm.pb.farm_admin_pb2 import FarmSnapshot


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    """A gateway whose loads end when the command has shown that the model is loading."""
    with running_gateway() as made:
        shown: list[str] = []
        progress = model_control._progress

        def watched(snapshot: FarmSnapshot, model: str, doing: str) -> str:
            # It is asked again once the last line has been written.
            if any(shown):
                made.watched.set()
            shown.append(progress(snapshot, model, doing))
            return shown[-1]

        monkeypatch.setattr(model_control, "_progress", watched)
        yield made


def models(gateway: FakeGateway, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments, "--connect", gateway.address])


def ok(gateway: FakeGateway, *arguments: str) -> str:
    result = models(gateway, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def line_of(text: str, word: str) -> str:
    (line,) = [line for line in text.splitlines() if f" {word} " in line]
    return line


def test_describe_as_a_table(gateway: FakeGateway) -> None:
    text = ok(gateway, "describe", "echo")
    assert "echo version 2" in text
    for words in (
        ("state", "ready"),
        ("digest", "d" * 64),
        ("ABI", "2.1"),
        ("largest batch", "8; tried"),
        ("opset", "ai.onnx 17, ai.onnx.ml 3"),
        ("IR version", "8"),
        ("needs ONNX Runtime", "1.15 or newer"),
        ("made by", "pytorch"),
        ("operators", "33"),
        ("size", "3.0 MiB"),
        ("goldens checked", "4"),
        ("farm.owner", "lab"),
    ):
        assert words[1] in line_of(text, words[0])
    assert "[-1, 4]" in line_of(text, "input, optional")
    assert '"height": 2' in line_of(text, "image")
    assert "4 labels: cat, dog, cow, …" in line_of(text, "output")
    assert "2 of 2" in line_of(text, "cortex-a76")
    assert "0 of 1" in line_of(text, "cortex-a72")
    assert "pi-2: its golden differs" in line_of(text, "cortex-a72")


def test_describe_as_json(gateway: FakeGateway) -> None:
    document = json.loads(ok(gateway, "describe", "echo", "-o", "json"))
    assert document["schema_version"] == 1
    (version,) = document["model"]["versions"]
    assert (version["version"], version["abi"], version["runtime_floor"]) == (2, "2.1", "1.15")
    assert version["opsets"] == {"ai.onnx": 17, "ai.onnx.ml": 3}
    assert version["inputs"][0] == {
        "name": "x", "datatype": "FP32", "shape": [-1, 4], "optional": True, "preprocessing": "",
        "labels": [],
    }  # fmt: skip
    assert version["outputs"][0]["labels"] == ["cat", "dog", "cow", "hen"]
    assert [node["ready"] for node in version["nodes"]] == [True, False, True]
    assert version["parameters"] == {"farm.owner": "lab"}


def test_profile_as_a_table(gateway: FakeGateway) -> None:
    text = ok(gateway, "profile", "echo")
    assert "echo version 2 on Raspberry Pi 5, cortex-a76, 1.31.1" in text
    assert "measured 2023-11-14 22:13 UTC on pi-4, kept on disk" in text
    lines = text.splitlines()
    chosen = [line for line in lines if "2 × 1 thread " in line and "chosen" in line]
    for line, words in zip(
        chosen,
        (("1", "2.000", "1,000.0"), ("4", "4.000", "2,000.0"), ("8", "16.000", "1,000.0")),
        strict=True,
    ):
        assert all(f" {word} " in line for word in words)
    assert ["best" in line for line in chosen] == [False, True, False]
    (other,) = [line for line in lines if "1 × 2 threads" in line]
    assert " 1.500 " in other
    assert "chosen" not in other
    (first,) = [line for line in lines if " pi-1 " in line]
    assert all(word in first for word in ("2 × 1 thread", "1.25 × the curve", "50%"))
    assert "its golden differs" in line_of(text, "pi-2")
    assert "not measured yet" in line_of(text, "pi-3")
    assert "optimised for throughput" in text


def test_profile_as_json(gateway: FakeGateway) -> None:
    document = json.loads(ok(gateway, "profile", "echo", "-o", "json"))
    (version,) = document["profile"]["versions"]
    first, second, _ = version["nodes"]
    assert (first["node"], first["best_rows"]) == ("pi-1", 4)
    assert first["curve"][1] == {"rows": 4, "ms": 4.0, "rows_per_s": 2000.0}
    assert (first["slots"], first["threads"], first["correction"]) == (2, 1, 1.254)
    assert (second["best_rows"], second["curve"], second["correction"]) == (None, [], None)
    (shared,) = version["classes"]
    assert (shared["nodes"], shared["measured_on"], shared["stored"]) == (["pi-1"], "pi-4", True)
    assert shared["measured_at"] == "2023-11-14T22:13:20+00:00"
    assert [(s["slots"], s["threads"], s["chosen"], s["best_rows"]) for s in shared["splits"]] == [
        (2, 1, True, 4),
        (1, 2, False, 1),
    ]
    assert version["optimize"] == "throughput"


def test_profile_measures_anew_if_it_is_told_to(gateway: FakeGateway) -> None:
    document = json.loads(ok(gateway, "profile", "echo", "--remeasure", "-o", "json"))
    (shared,) = document["profile"]["versions"][0]["classes"]
    assert shared["stored"] is False
    result = models(gateway, "profile", "other", "--remeasure")
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize("command", ["describe", "profile"])
def test_an_unknown_model_is_one_line(gateway: FakeGateway, command: str) -> None:
    result = models(gateway, command, "other")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "farm: there is no model 'other' on this farm\n"


def test_load_says_how_far_it_is_and_how_long_it_took(gateway: FakeGateway) -> None:
    result = models(gateway, "load", "new")
    assert result.exit_code == 0, result.output
    assert "loading new: 1 of 1 nodes have it\n" in result.stderr
    assert "new loaded in " in result.stdout
    assert "READY" in line_of(result.stdout, "3")
    assert "other" not in result.stdout


def test_load_as_json(gateway: FakeGateway) -> None:
    document = json.loads(ok(gateway, "load", "new", "-o", "json"))
    assert document["loaded"]["model"] == "new"
    assert document["loaded"]["seconds"] >= 0
    assert document["loaded"]["versions"] == [
        {"version": "3", "state": "READY", "reason": "as asked"}
    ]


def test_load_sends_a_config_and_files(gateway: FakeGateway, tmp_path: Path) -> None:
    config, onnx = tmp_path / "config.json", tmp_path / "a=b.onnx"
    config.write_text('{"max_batch_size": 4}')
    onnx.write_bytes(b"\0onnx")
    ok(gateway, "load", "new", "--config", str(config), "--file", f"1/model.onnx={onnx}")
    parameters = gateway.loads[-1].parameters
    assert parameters["config"].string_param == '{"max_batch_size": 4}'
    assert parameters["file:1/model.onnx"].bytes_param == b"\0onnx"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "model.onnx=a"], "write VERSION/FILE=PATH"),
        (["--file", "1/model.onnx"], "write VERSION/FILE=PATH"),
        (["--file", "1/model.onnx=none.onnx"], "none.onnx cannot be read"),
        (["--config", "none.json"], "none.json cannot be read"),
        (["--config", __file__], "test_cli_models.py is not JSON"),
    ],
)
def test_what_cannot_be_loaded_is_not_sent(
    gateway: FakeGateway, arguments: list[str], message: str
) -> None:
    result = models(gateway, "load", "new", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert gateway.loads == []


def test_a_load_that_fails_says_why(gateway: FakeGateway) -> None:
    gateway.load_error = LoadFailedError("pi-1: its golden differs; the old version serves")
    result = models(gateway, "load", "new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "farm: pi-1: its golden differs; the old version serves"
    )


def test_an_operator_who_may_not_watch_hears_what_the_load_says(gateway: FakeGateway) -> None:
    gateway.watched.set()
    gateway.error = PermissionDeniedError("operators only")
    gateway.load_error = ModelNotFoundError("there is no model 'new' in the repository")
    result = models(gateway, "load", "new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "farm: there is no model 'new' in the repository\n"


def test_unload(gateway: FakeGateway) -> None:
    gateway.states["echo"] = "READY"
    result = models(gateway, "unload", "echo")
    assert result.exit_code == 0, result.output
    assert "unloading echo: " in result.stderr
    assert "echo unloaded in " in result.stdout
    assert "UNAVAILABLE" in line_of(result.stdout, "3")
