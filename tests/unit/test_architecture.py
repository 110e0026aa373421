"""What importing a part of the farm costs: seen from outside, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import farm

IMPORT = """
import json, sys, threading
before = set(sys.modules)
for name in {names!r}:
    __import__(name)
loaded = sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})
print(json.dumps({{"loaded": loaded, "threads": threading.active_count()}}))
"""

# Records where the environment is read from: the first frame outside `os`.
WATCH_ENVIRONMENT = """
import json, os, sys
readers = set()
real = os._Environ.__getitem__
def watched(self, key):
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith("<frozen") or frame.f_globals.get("__name__") == "os":
        frame = frame.f_back
    readers.add(frame.f_globals.get("__name__", ""))
    return real(self, key)
os._Environ.__getitem__ = watched
for name in {names!r}:
    __import__(name)
os.environ.get("HOME")
print(json.dumps(sorted(readers)))
"""


def run(code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


def loaded_by(*names: str) -> set[str]:
    """The top-level packages that importing some modules loads."""
    return set(json.loads(run(IMPORT.format(names=list(names))))["loaded"])


def modules_below(package: str) -> list[str]:
    """Every module of a package of the farm, from its files."""
    root = Path(farm.__file__).parent
    top = root / Path(*package.split(".")[1:])
    files = [path.relative_to(root.parent).with_suffix("") for path in top.rglob("*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    return sorted(names)


# Programs rather than modules, and what only makes the shipped models.
PROGRAMS = {"farm.__main__", "farm.zoo.train_digits"}
# What imports Ray is for processes that have set Ray's environment already.
RAYS = {"farm.cluster.calls", "farm.cluster.pool", "farm.cluster.supervisor"}
EVERYTHING = [name for name in modules_below("farm") if name not in PROGRAMS | RAYS]


def test_the_modules_are_found() -> None:
    assert {"farm", "farm.app", "farm.node.service", "farm.scheduling.machine"} <= set(EVERYTHING)
    assert len(EVERYTHING) > 60


def test_a_node_is_light() -> None:
    loaded = loaded_by("farm.node.service")
    assert "numpy" in loaded
    # ONNX Runtime is opened by a child first, for it may kill the process that imports it.
    heavy = {
        "fabric", "google", "grpc", "onnx", "onnxruntime", "prometheus_client", "pydantic", "ray",
        "rich", "structlog", "textual", "typer", "yaml",
    }  # fmt: skip
    assert loaded & heavy == set()


def test_the_actor_adds_nothing_to_the_node() -> None:
    assert loaded_by("farm.cluster.actor") == loaded_by("farm.node.service")


@pytest.mark.parametrize("package", ["farm.core", "farm.scheduling"])
def test_the_vocabulary_and_the_scheduler_need_only_the_standard_library(package: str) -> None:
    loaded = loaded_by(*modules_below(package))
    assert loaded - sys.stdlib_module_names == {"farm"}


def test_a_client_needs_neither_ray_nor_a_runtime() -> None:
    loaded = loaded_by("farm.client")
    assert loaded & {"onnxruntime", "psutil", "pydantic", "ray", "rich", "structlog"} == set()


def test_the_command_line_starts_without_what_its_commands_need() -> None:
    loaded = loaded_by("farm.cli.main")
    heavy = {
        "fabric", "onnxruntime", "prometheus_client", "psutil", "pydantic", "ray", "structlog",
        "textual", "yaml",
    }  # fmt: skip
    assert loaded & heavy == set()


def test_the_command_line_starts_without_grpc_and_numpy() -> None:
    assert loaded_by("farm.cli.main") & {"grpc", "numpy"} == set()


def test_the_gateway_is_imported_without_ray() -> None:
    # Ray reads its environment when it is imported, and the farm sets it first.
    assert "ray" not in loaded_by("farm.app")


def test_importing_starts_no_thread() -> None:
    assert json.loads(run(IMPORT.format(names=EVERYTHING)))["threads"] == 1


def test_importing_reads_no_environment() -> None:
    readers = json.loads(run(WATCH_ENVIRONMENT.format(names=EVERYTHING)))
    assert "__main__" in readers, "the watch does not work"
    assert [name for name in readers if name.partition(".")[0] == "farm"] == []
