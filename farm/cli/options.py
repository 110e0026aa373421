"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from farm.client.channel import DEFAULT_ADDRESS


class Output(StrEnum):
    """How data is printed on standard output."""

    TABLE = "table"
    JSON = "json"


Connect = Annotated[
    str,
    typer.Option(
        "--connect", envvar="FARM_CONNECT", metavar="HOST:PORT", help="The gateway to talk to."
    ),
]
OutputFormat = Annotated[
    Output, typer.Option("--output", "-o", help="Print a table or machine-readable JSON.")
]

__all__ = ["DEFAULT_ADDRESS", "Connect", "Output", "OutputFormat"]
