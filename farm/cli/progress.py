"""How far long work is: on standard error, on terminals only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done for as long as it lasts; yield what shows something else instead."""
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield status.update


@contextmanager
def counted(what: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Show how much is done of a total, None where nobody knows it; yield what counts."""
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
