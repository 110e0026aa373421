"""`farm ledger`: what work took, by the gateway's own records."""

import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Final

import typer

from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.cli.progress import counted
from farm.cli.since import Since, local_now, since_unix_ns
from farm.core.errors import ConfigurationError
from farm.core.ledger import GroupBy, LedgerQuery, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.cli.ledger_export import Row
    from farm.client import AdminClient
    from farm.core.ledger import LedgerAnswer

# Batches; to show each one would take longer than to write it.
_SHOWN_EACH: Final = 1_000


class ExportFormat(StrEnum):
    """How batches are written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


By = Annotated[GroupBy, typer.Option("--by", help="What to sum up by.")]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Where to.", show_default="standard output"),
]
Format = Annotated[ExportFormat, typer.Option("--output", "-o", help="As what to write them.")]

app = typer.Typer(help="What work took, in joules and money.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What work took, in joules and money."""


@app.command("show")
def show(
    by: By = GroupBy.MODEL,
    since: Since = "24h",
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Show what each model, node, route, client or kind of waste took."""
    from farm.cli.tables import print_json

    with farm_errors():
        begins = since_unix_ns(since, now=local_now())
        query = LedgerQuery(since_unix_ns=begins, until_unix_ns=0, group=by)
        with admin_client(connect, context) as admin:
            answer = admin.ledger(query)
    _warn(answer)
    if output is Output.JSON:
        print_json("ledger", {"by": by, **asdict(answer)})
    else:
        _print(answer, by, since, begins)


@app.command("export")
def export(
    since: Since = "24h",
    to: To = None,
    connect: Connect = None,
    context: Context = None,
    output: Format = ExportFormat.CSV,
) -> None:
    """Write every settled batch: who ran what where, how it ended, what it took."""
    with farm_errors():
        begins = since_unix_ns(since, now=local_now())
        if output is ExportFormat.PARQUET:
            # Before any work: it may not be installed.
            import_module("pyarrow.parquet")
            if to is None:
                raise ConfigurationError("Parquet is not for a terminal; name a file with --to")
        with admin_client(connect, context) as admin:
            _export(admin, begins, to, output)


def _export(admin: "AdminClient", begins: int, to: Path | None, output: ExportFormat) -> None:
    from farm.cli.ledger_export import completed, to_rows, write_csv, write_json, write_parquet

    answer = admin.ledger(LedgerQuery(since_unix_ns=begins, until_unix_ns=0))
    _warn(answer)
    batches = sum(figures.batches for figures in answer.figures)
    rows = _shown(to_rows(admin.ledger_records(begins), answer.currency), batches)
    write = write_json if output is ExportFormat.JSON else write_csv
    if to is None:
        if output is ExportFormat.CSV:
            write(rows, sys.stdout)
            return
        # Half a document would be none. JSON is written for the encoding of what it ends up in.
        with TemporaryFile("w+", encoding=sys.stdout.encoding or "utf-8") as whole:
            write(rows, whole)
            whole.seek(0)
            copyfileobj(whole, sys.stdout)
        return
    with completed(to) as path:
        if output is ExportFormat.PARQUET:
            count = write_parquet(rows, path)
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                count = write(rows, file)
    sys.stderr.write(f"{count} batches are in {to}\n")


def _shown(rows: "Iterator[Row]", batches: int) -> "Iterator[Row]":
    """Yield rows and show how many of so many batches have been; not between them on a terminal."""
    if sys.stdout.isatty():
        yield from rows
        return
    with counted("batches", batches) as advance:
        for number, row in enumerate(rows, 1):
            yield row
            if number % _SHOWN_EACH == 0:
                advance(_SHOWN_EACH)


def _warn(answer: "LedgerAnswer") -> None:
    if answer.drops:
        sys.stderr.write(
            f"farm: {answer.drops} records were lost since the gateway started, because its disk"
            " failed; its log says why\n"
        )


def _print(answer: "LedgerAnswer", by: GroupBy, since: str, begins: int) -> None:
    from farm.cli.tables import print_table

    first = answer.begins_unix_ns
    if first is not None and first > begins:
        moment = datetime.fromtimestamp(first / 1e9).astimezone()
        since = f"{since} (the ledger begins {moment:%Y-%m-%d %H:%M})"
    # By node, by route and by waste requests are not counted; idle windows are the whole farm's.
    knows_requests = by not in {GroupBy.NODE, GroupBy.ROUTE, GroupBy.WASTE}
    total = by is GroupBy.TOTAL
    print_table(
        f"What work took since {since}, by {by}",
        (by.value, "answered", "failed", "batches", "rows", "joules", "sources", "wasted",
         *(("idle",) if total else ()), f"cost {answer.currency or ''}".strip()),
        [
            (
                figures.key or ("all" if total else "-"),
                str(figures.counts.answered),
                str(sum(figures.counts.failed.values())) if knows_requests else "-",
                str(figures.batches),
                str(figures.rows),
                _joules(figures.usage),
                _sources(figures.usage),
                _share(figures.wasted, figures.usage),
                *((_share(figures.idle, figures.usage),) if total else ()),
                "-" if figures.usage.cost is None else f"{figures.usage.cost:.4g}",
            )
            for figures in answer.figures
        ],
    )  # fmt: skip


def _joules(usage: Usage) -> str:
    return f"{usage.joules:.4g} ({usage.low_j:.4g} to {usage.high_j:.4g})"


def _sources(usage: Usage) -> str:
    """Say which shares of the joules are measured, modelled and assumed."""
    if usage.joules <= 0:
        return "-"
    assumed = usage.joules - usage.measured_j - usage.modelled_j
    parts = {"measured": usage.measured_j, "modelled": usage.modelled_j, "assumed": assumed}
    shares = {name: joules / usage.joules for name, joules in parts.items()}
    return ", ".join(f"{share:.0%} {name}" for name, share in shares.items() if share >= 0.005)


def _share(part: Usage, whole: Usage) -> str:
    return f"{part.joules / whole.joules:.1%}" if whole.joules > 0 else "-"
