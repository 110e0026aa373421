"""A run of a real farm, recorded, and replayed in the simulator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from farm_process import FarmProcess, wait_until

pytestmark = pytest.mark.integration


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "farm", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_recorded_run_replays(tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    with FarmProcess(tmp_path, "--nodes", "2", "--record", str(trace)) as farm:
        # A replay needs what the nodes were measured to take.
        wait_until(
            lambda: trace.read_text().count('"points"') >= 4, timeout_s=60, what="curves recorded"
        )
        bench = ("bench", "digits", "--connect", farm.grpc, "-c", "4", "-d", "1", "-o", "json")
        run(*bench)
        farm.stop()
    replayed = run("sim", "run", "--trace", str(trace), "-o", "json")
    assert replayed == run("sim", "run", "--trace", str(trace), "-o", "json")
    [report] = json.loads(replayed)["reports"]
    assert report["offered"] > 20
    assert report["answered"] == report["recorded"]["answered"] == report["offered"]
    assert report["lost"] == 0
    assert {node["node"] for node in report["nodes"]} == {"local-1", "local-2"}
