"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from farm.cli import completion


class Output(StrEnum):
    """How data is printed on standard output."""

    TABLE = "table"
    JSON = "json"


Connect = Annotated[
    str | None,
    typer.Option(
        "--connect",
        metavar="HOST:PORT",
        help="The gateway to talk to; FARM_CONNECT says it too.",
        show_default="the current context's, else 127.0.0.1:8001",
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="FARM",
        autocompletion=completion.farms,
        help="A farm that this machine has certificates of; see `farm contexts ls`.",
        show_default="the current one",
    ),
]
OutputFormat = Annotated[
    Output, typer.Option("--output", "-o", help="Print a table or machine-readable JSON.")
]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        "-i",
        metavar="[NAME=]FILE|-",
        help="A file with an input; - reads standard input. NAME may be left out for a model of"
        " one input and for files that name theirs.",
    ),
]
