"""What is written of a command is what its help shows."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from command_tree import commands
from commands import ok


def written(function: Callable[..., Any]) -> str:
    """Return what a command's docstring and its options say."""
    texts = [function.__doc__ or ""]
    for parameter in inspect.signature(function).parameters.values():
        options = getattr(parameter.annotation, "__metadata__", ())
        texts += [option.help or "" for option in options]
    return " ".join(texts).replace("`", "")


@pytest.mark.parametrize(
    ("words", "function"), [pytest.param(*each, id=each[0]) for each in commands()]
)
def test_help_shows_every_word(
    monkeypatch: pytest.MonkeyPatch, words: str, function: Callable[..., Any]
) -> None:
    # Brackets and asterisks, which are markup to some, are words here.
    monkeypatch.setenv("COLUMNS", "400")
    shown = ok(*words.split(), "--help").replace("│", " ").split()
    assert [word for word in written(function).split() if word not in shown] == []


def test_paragraphs_are_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    lines = ok("support-bundle", "--help").splitlines()
    (line,) = [line for line in lines if "Versions, this machine" in line]
    assert line.rstrip().endswith("before you hand it on.")
