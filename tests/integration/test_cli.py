"""The commands as a user types them, against a real farm."""

import json
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from farm_process import FarmProcess
from local_answers import Digits

pytestmark = pytest.mark.integration


def run(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "farm", *arguments],
        input=stdin,
        capture_output=True,
        timeout=100,
        check=False,
    )


def test_demo_checks_every_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The demo heeds no FARM_ variables.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = run("demo", "--nodes", "2", "--requests", "300", "--concurrency", "16")
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode()
    assert "300 of 300" in shown
    for word in ("accuracy", "requests/s", "p50", "p95", "p99", "share of local-1", "Receipt"):
        assert word in shown
    for field in (
        "node",
        "route",
        "model digest",
        "rows in the batch",
        "queue",
        "compute",
        "energy",
    ):
        assert field in shown
    for words in ("What 1,000 digits took and cost", " J (", "USD", "AWS Lambda", "EC2", "assumed"):
        assert words in shown


def test_models_ls(farm: FarmProcess) -> None:
    table = run("models", "ls", "--connect", farm.grpc)
    assert table.returncode == 0
    assert b"digits_int8" in table.stdout
    listed = json.loads(run("models", "ls", "--connect", farm.grpc, "-o", "json").stdout)
    assert listed["schema_version"] == 1
    assert {m["name"]: (m["state"], len(m["ready_nodes"])) for m in listed["models"]} == {
        "digits": ("ready", 3),
        "digits_int8": ("ready", 3),
    }


def test_nodes_ls(farm: FarmProcess) -> None:
    table = run("nodes", "ls", "--connect", farm.grpc)
    assert table.returncode == 0
    assert b"local-3" in table.stdout
    listed = json.loads(run("nodes", "ls", "--connect", farm.grpc, "-o", "json").stdout)
    assert [(n["node"], n["state"], n["models"]) for n in listed["nodes"]] == [
        (f"local-{number}", "ready", 2) for number in (1, 2, 3)
    ]


def test_infer_from_a_file_and_from_standard_input(
    farm: FarmProcess, tmp_path: Path, digits: Digits
) -> None:
    image = digits.images[:1]
    np.save(tmp_path / "digit.npy", image)
    arguments = ("infer", "digits", "--connect", farm.grpc, "-o", "json")
    answer = run(*arguments, "-i", f"image={tmp_path / 'digit.npy'}")
    assert answer.returncode == 0, answer.stderr.decode()
    assert json.loads(answer.stdout)["result"]["outputs"]["label"] == [int(digits.labels[0])]
    as_json = json.dumps(image.astype(int).tolist()).encode()
    same = run(*arguments, "-i", "image=-", stdin=as_json)
    assert same.returncode == 0, same.stderr.decode()
    assert json.loads(same.stdout)["result"]["outputs"]["label"] == [int(digits.labels[0])]
    bad = run(*arguments, "-i", "picture=-", stdin=as_json)
    assert bad.returncode == 1
    assert b"its inputs are 'image'" in bad.stderr
    assert b"Traceback" not in bad.stderr


def test_a_support_bundle_of_a_real_farm(farm: FarmProcess, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    made = run("support-bundle", "--to", str(bundle), "--connect", farm.grpc, "-o", "json")
    assert made.returncode == 0, made.stderr.decode()
    files = {each["name"] for each in json.loads(made.stdout)["bundle"]["files"]}
    answers = ("version", "snapshot", "models", "descriptions", "ledger", "log-settings")
    assert {f"gateway/{name}.json" for name in answers} <= files
    with tarfile.open(bundle) as archive:
        (name,) = [each for each in archive.getnames() if each.endswith("snapshot.json")]
        snapshot = archive.extractfile(name)
        assert snapshot is not None
        assert [node["state"] for node in json.load(snapshot)["nodes"]] == ["ready"] * 3


def test_no_farm_there() -> None:
    done = run("nodes", "ls", "--connect", "127.0.0.1:9")
    assert done.returncode == 4
    assert b"no answer from 127.0.0.1:9" in done.stderr
    assert b"Traceback" not in done.stderr


def test_metrics_count_what_was_served(farm: FarmProcess, digits: Digits) -> None:
    from farm.client import FarmClient

    with FarmClient(farm.grpc) as client:
        client.infer("digits", {"image": digits.images[:2]})
    with urllib.request.urlopen(f"http://{farm.metrics}/metrics", timeout=10) as page:
        scraped = page.read().decode()
    assert 'farm_nodes{state="ready"} 3.0' in scraped
    counted = [
        line
        for line in scraped.splitlines()
        if line.startswith("farm_requests_total{") and 'outcome="ok"' in line
    ]
    assert counted
    assert float(counted[0].split()[-1]) >= 1
    for metric in (
        "farm_request_latency_seconds_bucket",
        "farm_request_queue_seconds_bucket",
        "farm_batch_rows_bucket",
        "farm_queued_requests",
        "farm_model_ready_nodes",
    ):
        assert metric in scraped
