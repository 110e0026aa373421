"""`farm bench`: what it measures, prints and exits with. Times themselves are not judged."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from fake_gateway import FakeGateway, running_gateway
from typer.testing import CliRunner

from farm.cli.main import app
from farm.core.errors import QueueFullError

SHORT = ("-d", "0.2", "--warmup", "0.02", "--shape", "x=3", "-c", "2")


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        yield made


def bench(gateway: FakeGateway, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", *arguments, "--connect", gateway.address])


def measured(gateway: FakeGateway, *arguments: str) -> dict[str, Any]:
    result = bench(gateway, "echo", *SHORT, *arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["schema_version"] == 1
    return document["bench"]


def test_json_has_stable_keys(gateway: FakeGateway) -> None:
    found = measured(gateway, "--rows", "4", "--seed", "5")
    assert found | {"levels": [], "farm_version": "", "address": ""} == {
        "farm_version": "", "model": "echo", "version": "2", "address": "", "loop": "closed",
        "transport": "unary", "rows_per_request": 4, "duration_s": 0.2, "warmup_s": 0.02,
        "seed": 5, "levels": [],
    }  # fmt: skip
    (level,) = found["levels"]
    assert list(level) == [
        "concurrency", "rate_per_s", "requests_per_s", "rows_per_s", "succeeded", "failed",
        "errors", "latency_ms", "late_ms", "queue_ms", "compute_ms", "network_and_gateway_ms",
        "batch_sizes", "nodes", "generator_cpu_fraction",
    ]  # fmt: skip
    assert list(level["latency_ms"]) == ["mean", "p50", "p90", "p95", "p99", "max"]
    assert (level["concurrency"], level["rate_per_s"]) == (2, None)
    assert level["succeeded"] > 0
    assert math.isclose(level["rows_per_s"], 4 * level["requests_per_s"], rel_tol=1e-3)
    assert level["batch_sizes"] == {"3": level["succeeded"]}
    assert level["nodes"] == {"pi-1": level["succeeded"]}
    assert level["compute_ms"]["mean"] == 250.0


def test_random_inputs_fit_the_model(gateway: FakeGateway) -> None:
    measured(gateway, "--rows", "4")
    shapes = {
        tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in gateway.requests[-1].inputs
    }
    assert shapes == {"x": ("FP32", [4, 3]), "s": ("BYTES", [4])}


def test_inputs_may_come_from_files(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_text('{"x": [[1, 2], [3, 4], [5, 6]], "s": ["a", "b", "c"]}')
    result = bench(gateway, "echo", "-d", "0.1", "-c", "1", "-i", str(path), "-o", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["bench"]["rows_per_request"] == 3
    assert list(gateway.requests[-1].inputs[0].shape) == [3, 2]


def test_a_level_for_each_concurrency(gateway: FakeGateway) -> None:
    found = measured(gateway, "-c", "1,3")
    assert [level["concurrency"] for level in found["levels"]] == [1, 3]


def test_a_rate_is_an_open_loop(gateway: FakeGateway) -> None:
    found = measured(gateway, "--rate", "100", "--stream")
    assert (found["loop"], found["transport"]) == ("open", "stream")
    (level,) = found["levels"]
    assert (level["concurrency"], level["rate_per_s"]) == (None, 100.0)
    assert level["late_ms"]["max"] is not None


@pytest.mark.parametrize("way", [(), ("--stream",), ("--rate", "100")])
def test_a_table_shows_rates_latencies_and_parts(
    gateway: FakeGateway, way: tuple[str, ...]
) -> None:
    result = bench(gateway, "echo", *SHORT, *way)
    assert result.exit_code == 0, result.output
    for word in ("requests/s", "p99", "network and gateway", "pi-1 100%", "3.0", "echo version 2"):
        assert word in result.stdout
    assert "0.02 s to warm up, then 0.2 s" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "0"], "write numbers from 1"),
        (["-c", "1,x"], "write numbers from 1"),
        (["--rate", "0"], "--rate must be above 0"),
        (["--rate", "nan"], "--rate must be above 0"),
        (["-d", "0"], "must be above 0"),
        (["--shape", "x"], "write NAME=D,D"),
        (["--shape", "x=a"], "write NAME=D,D"),
        (["--rows", "2", "-i", "x.json"], "leave out --input"),
    ],
)
def test_wrong_usage_exits_with_2(gateway: FakeGateway, arguments: list[str], message: str) -> None:
    result = bench(gateway, "echo", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert gateway.requests == []


def test_an_open_dimension_is_asked_for(gateway: FakeGateway) -> None:
    result = bench(gateway, "echo", "-d", "0.1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--shape NAME=D,D" in result.stderr


def test_what_is_refused_once_is_not_measured(gateway: FakeGateway) -> None:
    gateway.infer_error = QueueFullError("it is full")
    result = bench(gateway, "echo", *SHORT)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "farm: it is full\n"


def test_some_failures_exit_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = FakeGateway.ModelInfer
    calls = []

    def every_third(self: FakeGateway, request: Any, context: Any) -> Any:
        calls.append(1)
        self.infer_error = QueueFullError("it is full") if len(calls) % 3 == 0 else None
        return answer(self, request, context)

    monkeypatch.setattr(FakeGateway, "ModelInfer", every_third)
    with running_gateway() as flaky:
        result = bench(flaky, "echo", *SHORT, "-o", "json")
    assert result.exit_code == 3
    (level,) = json.loads(result.stdout)["bench"]["levels"]
    assert level["errors"] == {"queue_full": level["failed"]}
    assert level["failed"] > 0
    assert "× queue_full, first: it is full" in result.stderr
