"""`farm report`: what requests cost, and what the farm saved against clouds."""

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import completion
from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context
from farm.cli.progress import doing
from farm.cli.since import Since, local_now, since_unix_ns
from farm.core.errors import ConfigurationError
from farm.core.ledger import GroupBy

if TYPE_CHECKING:
    from datetime import datetime

    from farm.energy.report import Report

_GROUPS = (GroupBy.MODEL, GroupBy.NODE, GroupBy.CLIENT)


class ReportFormat(StrEnum):
    """As what a report is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def report(
    since: Since = "24h",
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Until when, as --since.", show_default="now"),
    ] = None,
    by: Annotated[
        list[GroupBy] | None,
        typer.Option(help="By what to sum up; may be repeated.", show_default="model node client"),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.baselines,
            help="What to compare with, by its name in `farm baselines ls`; may be repeated.",
            show_default="all that ask for time, not for tokens",
        ),
    ] = None,
    baselines: Annotated[
        Path | None,
        typer.Option(help="Your own baselines, which add to the package's or replace them."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to.", show_default="standard output"),
    ] = None,
    output: Annotated[
        ReportFormat, typer.Option("--output", "-o", help="As what to write it.")
    ] = ReportFormat.TABLE,
    connect: Connect = None,
    context: Context = None,
) -> None:
    """Tell what requests took and cost, and what they would have cost in a cloud."""
    with farm_errors():
        now = local_now()
        began = since_unix_ns(since, now=now)
        ended = since_unix_ns(until or now.isoformat(), now=now, option="--until")
        if ended <= began:
            raise ConfigurationError(f"--until {until} is not after --since {since}")
        with doing("reading the ledger"):
            found = _report(
                began,
                ended,
                groups=list(dict.fromkeys(by or _GROUPS)),
                names=baseline or [],
                file=baselines,
                now=now,
                connect=connect,
                context=context,
            )
        if to is None:
            _write(found, output, now)
            return
        from farm.cli.ledger_export import completed

        with (
            completed(to) as path,
            path.open("w", encoding="utf-8", newline="") as file,
            redirect_stdout(file),
        ):
            _write(found, output, now)
    sys.stderr.write(f"the report is in {to}\n")


def _report(
    began: int,
    ended: int,
    *,
    groups: list[GroupBy],
    names: list[str],
    file: Path | None,
    now: "datetime",
    connect: str | None,
    context: str | None,
) -> "Report":
    from farm.energy.report import report as made
    from farm.energy.report_reading import read
    from farm.sections.catalogue import read_catalogue

    catalogue = read_catalogue(file)
    chosen = [catalogue.baseline(name) for name in dict.fromkeys(names)] or catalogue.by_time
    with admin_client(connect, context) as admin:
        return made(
            read(admin.ledger, began, ended, groups),
            admin.terms(began, ended),
            farm=admin.version().farm_name,
            baselines=chosen,
            egress=catalogue.egress,
            today=now.date(),
        )


def _write(found: "Report", output: ReportFormat, now: "datetime") -> None:
    if output is ReportFormat.HTML:
        from farm.cli.report_html import page

        sys.stdout.write(page(found, made=now))
    elif output is ReportFormat.CSV:
        from farm.energy.report_data import table

        sys.stdout.write(table(found))
    elif output is ReportFormat.JSON:
        from farm.cli.tables import print_json
        from farm.energy.report_data import document

        print_json("report", document(found))
    else:
        from farm.cli.report_tables import print_report

        print_report(found, now.tzinfo)
