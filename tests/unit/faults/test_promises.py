"""Every promise names the tests that hold it, and every fault test holds one."""

import ast
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.faults import text
from benchmarks.reliability import (
    PAGE,
    PROMISES,
    Promise,
    page,
    promised,
    read_promises,
    read_runs,
)
from benchmarks.report import ROOT

FACTS = {
    "taken": "2026-01-01T00:00:00+00:00",
    "machine": {"cpu": "one", "cores": 2, "memory_gb": 1, "system": "Linux", "load_1m": 0.1},
    "versions": {"python": "3.11"},
}
LOSS = Promise(
    group="Nodes", fault="a node is lost", promise="Nothing.", tests=("tests/a.py::test_lost",)
)


def functions(folder: str, pattern: str) -> Iterator[str]:
    """Yield the tests of some files as `path::function`."""
    for file in sorted((ROOT / folder).glob(pattern)):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and node.name.startswith("test_"):
                yield f"{file.relative_to(ROOT)}::{node.name}"


@pytest.fixture(scope="module")
def promises() -> tuple[Promise, ...]:
    return read_promises(PROMISES.read_text(encoding="utf-8"))


def test_what_a_promise_names_is_a_test(promises: tuple[Promise, ...]) -> None:
    assert all(promise.tests for promise in promises)
    named = {test for promise in promises for test in promise.tests}
    assert named - set(functions("tests", "**/test_*.py")) == set()


def test_what_a_fault_test_shows_is_promised(promises: tuple[Promise, ...]) -> None:
    named = {test for promise in promises for test in promise.tests}
    faults = {*functions("tests/faults", "test_*.py"), *functions("tests/lab", "test_*_faults.py")}
    assert faults - named == set()


def test_the_page_is_made_of_the_promises_and_the_figures_that_are_kept() -> None:
    assert PAGE.read_text(encoding="utf-8") == text()


def test_of_several_runs_the_median_is_shown() -> None:
    runs = read_runs(
        f'{{"test": "test_lost[one]", "figures": {{"failed": {failed}, "recovered_s": 2.04}}}}'
        for failed in (0, 3, 1)
    )
    assert "one: 1 failed; as before after 2.0 s |" in page([LOSS], runs, FACTS)


def test_each_set_of_parameters_has_its_line() -> None:
    runs = read_runs(
        f'{{"test": "test_lost[{case}]", "figures": {{"failed": 0}}}}' for case in ("one", "half")
    )
    assert "half: 0 failed<br>one: 0 failed" in page([LOSS], runs, FACTS)


def test_a_promise_without_figures_held_if_its_test_passed() -> None:
    runs = read_runs(['{"test": "test_lost", "figures": {}}'])
    assert "| held |" in page([LOSS], runs, FACTS)


def test_a_promise_whose_tests_did_not_all_pass_is_not_said_to_hold() -> None:
    two = replace(LOSS, tests=(*LOSS.tests, "tests/a.py::test_found"))
    runs = read_runs(['{"test": "test_lost[one]", "figures": {"failed": 1}}'])
    assert "| not run |" in page([two], runs, FACTS)


def test_runs_of_other_tests_are_not_kept() -> None:
    runs = read_runs(f'{{"test": "{test}", "figures": {{}}}}' for test in ("test_lost", "test_b"))
    assert set(promised(runs, [LOSS])) == {"test_lost"}


def test_a_quantity_without_words_is_told() -> None:
    runs = read_runs(['{"test": "test_lost", "figures": {"smell": 1}}'])
    with pytest.raises(KeyError, match="no words for smell"):
        page([LOSS], runs, FACTS)
