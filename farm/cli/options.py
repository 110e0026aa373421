"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from farm.core.addresses import GRPC_ADDRESS


class Output(StrEnum):
    """How data is printed on standard output."""

    TABLE = "table"
    JSON = "json"


DEFAULT_ADDRESS = GRPC_ADDRESS

Connect = Annotated[
    str,
    typer.Option(
        "--connect", envvar="FARM_CONNECT", metavar="HOST:PORT", help="The gateway to talk to."
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
