"""The commands that call a farm: pictures, load, a model in depth; JSON as scripts read it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from farm_process import FarmProcess, wait_until
from local_answers import Digits
from PIL import Image
from served_models import DIGIT_NAMES

from farm.client import AdminClient, FarmClient

pytestmark = pytest.mark.integration


@pytest.fixture
def client(samples: FarmProcess) -> Iterator[FarmClient]:
    with FarmClient(samples.grpc) as opened:
        yield opened


@pytest.fixture
def admin(samples: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(samples.grpc) as opened:
        yield opened


def command(farm: FarmProcess, *arguments: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "farm", *arguments, "--output", "json"],
        capture_output=True,
        timeout=100,
        check=False,
        env={"PATH": "", "FARM_CONNECT": farm.grpc},
    )
    assert done.returncode == 0, done.stderr.decode()
    printed: dict[str, Any] = json.loads(done.stdout)
    assert printed["schema_version"] == 1
    return printed


def test_infer_with_pictures(samples: FarmProcess, tmp_path: Path, digits: Digits) -> None:
    """Ink on paper in a larger colour picture, prepared as the zoo's digits declare it."""
    for index in range(3):
        pixels = np.rint(255 - digits.images[index, 0] * (255 / 16)).astype(np.uint8)
        picture = Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST)
        picture.convert("RGB").save(tmp_path / f"{index}.png")
    printed = command(samples, "infer", "digits", "-i", f"image={tmp_path}/*.png")["result"]
    assert printed["outputs"]["label"] == digits.labels[:3].tolist()
    assert (printed["model"], printed["version"]) == ("digits", "1")
    assert printed["receipt"]["batch_size"] == 3
    np.testing.assert_allclose(
        printed["outputs"]["probabilities"], digits.probabilities[:3], atol=0.02
    )


@pytest.mark.parametrize("transport", ["unary", "stream"])
def test_bench(samples: FarmProcess, client: FarmClient, transport: str) -> None:
    [before] = client.statistics("digits")
    options = ["--stream"] if transport == "stream" else []
    printed = command(
        samples, "bench", "digits", "-c", "1,8", "-d", "0.5", "--warmup", "0.1", *options
    )["bench"]
    assert (printed["model"], printed["loop"], printed["transport"]) == (
        "digits",
        "closed",
        transport,
    )
    answered = 0
    assert [level["concurrency"] for level in printed["levels"]] == [1, 8]
    for level in printed["levels"]:
        assert level["failed"] == 0
        assert level["succeeded"] > 0
        assert level["nodes"] == {"local-1": level["succeeded"]}
        assert sum(level["batch_sizes"].values()) == level["succeeded"]
        latency = level["latency_ms"]
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p95"] <= latency["p99"]
        for part in ("queue_ms", "compute_ms", "network_and_gateway_ms"):
            assert 0 <= level[part]["mean"] < latency["mean"]
        answered += level["succeeded"]
    [after] = client.statistics("digits")
    assert after.inference_count - before.inference_count >= answered


def test_models_describe(samples: FarmProcess, client: FarmClient, digits: Digits) -> None:
    described = command(samples, "models", "describe", "named_digits")["model"]
    [version] = described["versions"]
    assert (version["version"], version["state"], version["abi"]) == (1, "ready", "1.0")
    digest = client.infer("named_digits", {"image": digits.images[:1]}).receipt.model_digest
    assert version["digest"] == digest
    [given] = version["inputs"]
    assert (given["name"], given["datatype"], given["shape"]) == ("image", "FP32", [-1, 1, 8, 8])
    assert version["outputs"][0]["labels"] == list(DIGIT_NAMES)
    assert version["opsets"]["ai.onnx"] > 0
    assert version["runtime_floor"]
    assert [(node["node"], node["ready"]) for node in version["nodes"]] == [("local-1", True)]
    [zoo] = command(samples, "models", "describe", "digits")["model"]["versions"]
    assert json.loads(zoo["inputs"][0]["preprocessing"])["height"] == 8
    assert zoo["goldens_checked"] > 0


def test_models_profile(samples: FarmProcess, admin: AdminClient) -> None:
    wait_until(
        lambda: admin.describe("digits")[0].nodes[0].curve,
        timeout_s=60,
        what="the curve is measured",
    )
    [version] = command(samples, "models", "profile", "digits")["profile"]["versions"]
    [node] = version["nodes"]
    rows = [point["rows"] for point in node["curve"]]
    assert rows == sorted(set(rows))
    assert (rows[0], rows[-1] <= version["max_batch_size"]) == (1, True)
    assert all(point["ms"] > 0 and point["rows_per_s"] > 0 for point in node["curve"])
    assert node["best_rows"] in rows
    assert (node["slots"], node["threads"]) == (1, 1)
    [anew] = command(samples, "models", "profile", "digits", "--remeasure")["profile"]["versions"]
    [kind] = anew["classes"]
    assert (kind["nodes"], kind["measured_on"], kind["stored"]) == (["local-1"], "local-1", False)
    [split] = kind["splits"]
    assert split["chosen"]
