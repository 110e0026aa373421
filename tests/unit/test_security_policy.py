"""SECURITY.md names the test of each promise, and each one is there."""

import ast
import re
from pathlib import Path

import pytest

import farm

ROOT = Path(farm.__file__).parent.parent
POLICY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", POLICY)))


def functions_of(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_tests_are_named() -> None:
    assert len(NAMED) > 40
    # Whatever looks like a test is read as one.
    assert len(set(re.findall(r"tests/[^\s`]+", POLICY))) == len(NAMED)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name in functions_of(ROOT / file)


def test_every_page_that_it_leads_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", POLICY)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link
