"""A command whose extra is not installed says which one to install."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_gateway import running_gateway
from PIL import Image

from farm.contexts import Context, FarmHome

RUN = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["farm", *{arguments!r}]
from farm.cli.main import main
main()
"""


def run(missing: set[str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `farm` in a process in which some packages cannot be imported."""
    code = RUN.format(missing=missing, arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("missing", "extra"),
    [("structlog", "head"), ("prometheus_client", "head"), ("grpc_health", "head")],
)
def test_farm_up_names_the_extra(missing: str, extra: str) -> None:
    ended = run({missing}, "up", "--nodes", "1")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"farm: this command needs {missing}")
    assert f"pip install 'bramble-farm[{extra}]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_farm_that_is_to_be_traced_names_the_extra(tmp_path: Path) -> None:
    file = tmp_path / "farm.yaml"
    file.write_text("tracing: {endpoint: http://127.0.0.1:9/v1/traces}\n")
    ended = run({"opentelemetry"}, "up", "--nodes", "1", "--config", str(file))
    assert ended.returncode == 2
    assert ended.stderr == (
        f"farm: {file}: tracing: needs OpenTelemetry, which is not installed here: pip install"
        " 'bramble-farm[tracing]'\n"
    )


def test_farm_up_without_ray_names_the_extra() -> None:
    ended = run({"ray"}, "up", "--nodes", "1", "--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    assert ended.returncode == 1
    assert "pip install 'bramble-farm[head]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_picture_without_pillow_names_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (2, 2)).save(path)
    with running_gateway() as gateway:
        ended = run({"PIL"}, "infer", "picture", "-i", str(path), "--connect", gateway.address)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == ("farm: this command needs PIL: pip install 'bramble-farm[images]'\n")


def test_a_laptop_needs_no_extra() -> None:
    heavy = {"ray", "onnxruntime", "structlog", "prometheus_client", "grpc_health", "psutil", "PIL"}
    ended = run({*heavy, "textual", "fabric"}, "models", "ls", "--connect", "127.0.0.1:9")
    assert ended.returncode == 4
    assert "no answer from 127.0.0.1:9" in ended.stderr


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("textual", []), ("textual_serve", ["--web"]), ("aiohttp", ["--web"])],
)
def test_the_screen_names_the_extra(missing: str, arguments: list[str]) -> None:
    ended = run({missing}, "top", *arguments)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"farm: this command needs {missing}: pip install 'bramble-farm[tui]'\n"
    )


def test_a_support_bundle_needs_no_extra(tmp_path: Path) -> None:
    heavy = {"ray", "onnxruntime", "structlog", "psutil", "cryptography", "fabric", "keyring"}
    path = tmp_path / "bundle.tar.gz"
    FarmHome.of(os.environ).write(Context(farm="shelf", address="127.0.0.1:9"))
    (FarmHome.of(os.environ).folder("shelf").path / "operator.pem").write_text("a certificate")
    ended = run(heavy, "support-bundle", "--to", str(path), "-o", "json")
    assert ended.returncode == 0, ended.stderr
    files = [each["name"] for each in json.loads(ended.stdout)["bundle"]["files"]]
    assert {"contexts.json", "machine.json", "versions.json"} <= set(files)


def test_a_missing_module_of_no_extra_is_a_defect_and_shown_as_one() -> None:
    ended = run({"yaml"}, "up")
    assert ended.returncode == 1
    assert "ModuleNotFoundError" in ended.stderr


@pytest.mark.parametrize("missing", ["paramiko", "keyring"])
def test_what_acts_on_hosts_names_the_extra(tmp_path: Path, missing: str) -> None:
    shelf = tmp_path / "shelf.yaml"
    shelf.write_text("farm: {name: shelf}\nhosts: {pi-1: {address: 198.18.0.1, role: both}}\n")
    ended = run({missing}, "doctor", "-i", str(shelf))
    assert ended.returncode == 1
    assert "pip install 'bramble-farm[ops]'" in ended.stderr
    assert "Traceback" not in ended.stderr
