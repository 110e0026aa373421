"""The pinned versions agree with each other."""

import re
import tomllib
from pathlib import Path

import playbooks

LOCKS = Path(playbooks.__file__).parent / "locks"


def pins(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (LOCKS / name).read_text().splitlines():
        pin = re.match(r"([a-z0-9-]+)==([^ ]+)", line)
        if pin:
            found.setdefault(pin.group(1), set()).add(pin.group(2))
    return found


def test_a_node_and_a_head_get_what_was_tested() -> None:
    tested = pins("dev.txt")
    for name in ("node.txt", "head.txt"):
        for package, versions in pins(name).items():
            assert versions <= tested[package], f"{package} in {name}"


def test_nodes_get_no_command_line_of_an_operator() -> None:
    assert not {"fabric", "textual", "tritonclient", "scikit-learn"} & set(pins("node.txt"))


def test_health_and_reflection_run_beside_tritonclient() -> None:
    """Later ones want protobuf 7; tritonclient wants less than that."""
    head = pins("head.txt")
    for package in ("grpcio-health-checking", "grpcio-reflection"):
        assert all(version.startswith("1.80.") for version in head[package])
    assert all(version.startswith("6.") for version in head["protobuf"])


def test_a_gateway_can_trace_and_nodes_need_not() -> None:
    assert "opentelemetry-sdk" in pins("head.txt")
    assert "opentelemetry-sdk" not in pins("node.txt")


def test_onnxruntime_is_chosen_by_cpu_class() -> None:
    classes = tomllib.loads((LOCKS / "onnxruntime.toml").read_text())
    assert classes["default"][0] in pins("dev.txt")["onnxruntime"]
    assert classes["cortex-a72"][0] == "1.27.0"
    for versions in classes.values():
        assert len(set(versions)) == len(versions) > 1
        assert "1.21.0" not in versions, "kills the interpreter on a Pi 4"


def test_the_locks_name_no_registry() -> None:
    for file in LOCKS.iterdir():
        assert "://" not in file.read_text(), file.name
