"""`farm infer`: one request from files."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import completion
from farm.cli.connecting import farm_client
from farm.cli.exits import farm_errors
from farm.cli.input_files import arrays_of
from farm.cli.options import Connect, Context, Inputs, Output, OutputFormat

if TYPE_CHECKING:
    from farm.client import InferResult
    from farm.client.datatypes import AnyArray

# Tables show this many values of an output; JSON shows all.
_SHOWN = 10


def infer(
    model: Annotated[
        str, typer.Argument(help="The model to call.", autocompletion=completion.models)
    ],
    inputs: Inputs,
    version: Annotated[str, typer.Option(help="A version; without one the latest.")] = "",
    outputs: Annotated[
        str, typer.Option(metavar="A,B", help="Only these outputs, in this order.")
    ] = "",
    classes: Annotated[
        int, typer.Option(min=0, help="Answer with the N largest values as classes.")
    ] = 0,
    priority: Annotated[
        int, typer.Option(min=0, help="1 goes first; 0 is the model's default.")
    ] = 0,
    abi: Annotated[
        str, typer.Option(metavar="RANGE", help="Versions by their ABI, such as '>=2.1,<3'.")
    ] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 30.0,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Send one request and print its outputs and receipt.

    Files are .npy, .npz, .json (a list, an object of lists by input, or the body of an OIP
    request), .png or .jpg. Pictures are prepared as the model declares; several of them, by
    a quoted pattern or a repeated -i, are one batch.
    """
    with farm_errors():
        with farm_client(connect, context) as client:
            metadata = client.metadata(model, version)
            arrays = arrays_of(inputs, client, metadata, version)
            wanted = [name.strip() for name in outputs.split(",") if name.strip()]
            classified = wanted or [tensor.name for tensor in metadata.outputs]
            result = client.infer(
                model,
                arrays,
                version=version,
                outputs=wanted,
                classes=dict.fromkeys(classified, classes) if classes else None,
                priority=priority,
                abi=abi,
                timeout_s=timeout,
            )
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
    from farm.client.bfloat16 import as_numbers
    from farm.client.datatypes import datatype_of

    rows = []
    for name, array in result.outputs.items():
        flat = as_numbers(array).reshape(-1)[:_SHOWN]
        shown = ", ".join(_short(value) for value in flat.tolist())
        more = f", … {array.size} values" if array.size > _SHOWN else ""
        rows.append((name, str(datatype_of(array)), str(list(array.shape)), shown + more))
    print_table(
        f"{result.model} version {result.version}", ("output", "type", "shape", "values"), rows
    )
    if result.receipt:
        print_table("Receipt", ("field", "value"), result.receipt.lines())


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _values(array: "AnyArray") -> object:
    from farm.client.bfloat16 import as_numbers

    array = as_numbers(array)
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
