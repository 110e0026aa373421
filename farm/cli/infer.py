"""`farm infer`: one request from files."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.exits import farm_errors
from farm.cli.options import DEFAULT_ADDRESS, Connect, Output, OutputFormat
from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from farm.client import InferResult
    from farm.client.codec import AnyArray

# Tables show this many values of an output; JSON shows all.
_SHOWN = 10


def infer(
    model: Annotated[str, typer.Argument(help="The model to call.")],
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=FILE|-",
            help="A .npy or .json file for an input; - reads either from standard input.",
        ),
    ],
    version: Annotated[str, typer.Option(help="A version; without one the latest.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 30.0,
    connect: Connect = DEFAULT_ADDRESS,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Send one request and print its outputs and receipt."""
    with farm_errors():
        from farm.client import FarmClient
        from farm.client.files import fit_datatypes, read_array

        arrays = {}
        for given in inputs:
            name, _, source = given.partition("=")
            if not name or not source:
                raise ConfigurationError(f"--input {given}: write NAME=FILE or NAME=-")
            arrays[name] = read_array(None if source == "-" else Path(source), sys.stdin.buffer)
        with FarmClient(connect) as client:
            arrays = fit_datatypes(arrays, client.input_datatypes(model, version))
            result = client.infer(model, arrays, version=version, timeout_s=timeout)
    if output is Output.JSON:
        _print_json(result)
    else:
        _print_table(result)


def _print_json(result: "InferResult") -> None:
    from farm.cli.tables import print_json

    print_json(
        "result",
        {
            "model": result.model,
            "version": result.version,
            "outputs": {name: _values(array) for name, array in result.outputs.items()},
            "receipt": dict(result.receipt),
        },
    )


def _print_table(result: "InferResult") -> None:
    from farm.cli.tables import print_table

    rows = []
    for name, array in result.outputs.items():
        flat = array.reshape(-1)[:_SHOWN]
        shown = ", ".join(
            f"{value:.5g}" if array.dtype.kind == "f" else str(value) for value in flat
        )
        more = f", … {array.size} values" if array.size > _SHOWN else ""
        rows.append((name, str(array.dtype), str(list(array.shape)), shown + more))
    print_table(
        f"{result.model} version {result.version}", ("output", "type", "shape", "values"), rows
    )
    print_table("Receipt", ("field", "value"), [(k, str(v)) for k, v in result.receipt.items()])


def _values(array: "AnyArray") -> object:
    if array.dtype.kind == "O":
        return _nested(array.tolist(), lambda element: bytes(element).decode(errors="replace"))
    if array.dtype.kind == "f":
        return _nested(array.tolist(), _finite)
    return array.tolist()


def _nested(value: Any, convert: Callable[[Any], object]) -> object:
    if isinstance(value, list):
        return [_nested(item, convert) for item in value]
    return convert(value)


def _finite(number: float) -> object:
    """Return a number as JSON has it: "NaN" and "Infinity" as words, as protobuf's JSON does."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
