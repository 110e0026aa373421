"""How far long work is, on standard error: in place on terminals."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done while it is; yield what shows something else then."""
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield status.update


@contextmanager
def changing() -> Iterator[Callable[[str], None]]:
    """Yield what shows how far something is: in place on a terminal, else a line a change."""
    from rich.console import Console

    console = Console(stderr=True)
    shown = ""

    def write(line: str) -> None:
        nonlocal shown
        if line != shown:
            shown = line
            sys.stderr.write(f"{line}\n")

    if not console.is_terminal:
        yield write
        return
    with console.status("") as status:
        yield status.update


@contextmanager
def counted(what: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Show on a terminal how much is done of a total, None if unknown; yield what counts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Without a terminal it would print its last line all the same.
    with Progress(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda amount: progress.advance(bar, amount)
