"""Every command of the command line, as it is registered."""

from collections.abc import Callable, Iterator
from typing import Any

import typer

from farm.cli.main import app


def commands(group: typer.Typer = app, words: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every command of a group and of those in it, by its words, and its function."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{words}{command.name or command.callback.__name__}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{words}{inner.name} ")
