"""What importing a part of the farm costs, seen from outside, and who may import whom."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

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
    slow = {"asyncio", "google", "grpc", "numpy", "rich", "ssl", "yaml"}
    assert loaded_by("farm.cli.main") & slow == set()


def test_the_gateway_is_imported_without_ray() -> None:
    # Ray reads its environment when it is imported, and the farm sets it first.
    assert "ray" not in loaded_by("farm.app")


def test_importing_starts_no_thread() -> None:
    assert json.loads(run(IMPORT.format(names=EVERYTHING)))["threads"] == 1


def test_importing_reads_no_environment() -> None:
    readers = json.loads(run(WATCH_ENVIRONMENT.format(names=EVERYTHING)))
    assert "__main__" in readers, "the watch does not work"
    assert [name for name in readers if name.partition(".")[0] == "farm"] == []


# -- the import contracts of pyproject.toml ---------------------------------------------

ROOT = Path(farm.__file__).parent.parent
OURS = ("farm", "tui", "playbooks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Those of the table; what is ordered within a part is not in it.
CONTRACTS = [
    contract
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
    if contract["type"] != "layers"
]


def parts_of_the_farm() -> set[str]:
    """Every package and module directly under `farm` that holds code, and the other two."""
    top = ROOT / "farm"
    modules = {path.stem for path in top.glob("*.py")} - {"__init__", "__main__"}
    packages = {path.name for path in top.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    return {f"farm.{name}" for name in modules | packages} | {"tui", "playbooks"}


class ThirdParties(ast.NodeVisitor):
    """Collects the top-level names that a file imports when it runs."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name.partition(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.names.add((node.module or "").partition(".")[0])


def third_parties() -> set[str]:
    seen = ThirdParties()
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            seen.visit(ast.parse(path.read_text()))
    return seen.names - set(OURS) - sys.stdlib_module_names


UNIVERSE = parts_of_the_farm() | third_parties()


def test_the_universe_is_found() -> None:
    assert {"farm.core", "farm.cli", "farm.app", "farm.zoo", "farm.logs", "tui"} <= UNIVERSE
    assert {"grpc", "google", "numpy", "onnxruntime", "ray", "sklearn", "yaml"} <= UNIVERSE


def test_every_part_but_the_composition_root_has_one_contract() -> None:
    sources = [source for contract in CONTRACTS for source in contract["source_modules"]]
    assert sorted(sources) == sorted(parts_of_the_farm() - {"farm.app"})


@pytest.mark.parametrize("contract", [pytest.param(c, id=c["name"]) for c in CONTRACTS])
def test_a_contract_forbids_all_that_its_name_does_not_allow(contract: dict[str, Any]) -> None:
    source, _, rest = contract["name"].partition(" imports only ")
    allowed = set() if rest == "the standard library" else set(rest.split(", "))
    forbidden = set(contract["forbidden_modules"])
    assert contract["type"] == "forbidden"
    assert contract["source_modules"] == [source]
    assert "ignore_imports" not in contract
    assert forbidden & (allowed | {source}) == set()
    gone = {name for name in allowed if name.startswith("farm.")} - UNIVERSE
    assert gone == set(), "allowed, but not there"
    assert UNIVERSE - forbidden - allowed - {source} == set(), "neither forbidden nor allowed"
