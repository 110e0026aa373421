"""`farm bench`: how fast a farm answers, and where the time goes."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import completion
from farm.cli.connecting import farm_client
from farm.cli.exits import Exit, farm_errors
from farm.cli.input_files import arrays_of
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.core.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from farm.client import FarmClient, ModelMetadata
    from farm.client.datatypes import AnyArray
    from farm.client.load.generator import LoadPlan, LoadResult

# Above this share of a core the generator may be what is measured.
_BUSY = 0.7


def bench(
    model: Annotated[
        str, typer.Argument(help="The model to call.", autocompletion=completion.models)
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="[NAME=]FILE|-",
            help="Inputs as for `farm infer`.",
            show_default="random ones",
        ),
    ] = None,
    concurrency: Annotated[
        str, typer.Option("--concurrency", "-c", metavar="N,N", help="Callers at a time, in turn.")
    ] = "1,8,64",
    rate: Annotated[
        float | None,
        typer.Option(help="Requests/s at random moments (Poisson) instead of callers that wait."),
    ] = None,
    duration: Annotated[float, typer.Option("--duration", "-d", help="Seconds measured.")] = 5.0,
    warmup: Annotated[float, typer.Option(help="Seconds before that are not counted.")] = 1.0,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows of a random request.", show_default="1")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=D,D",
            help="Shape of a random input without its batch axis, where the model leaves it open.",
        ),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="One stream for all requests, not a call each.")
    ] = False,
    version: Annotated[str, typer.Option(help="A version; without one the latest.")] = "",
    seed: Annotated[int, typer.Option(help="Of random inputs and of the Poisson process.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 30.0,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Send the same request again and again and print rates, latencies and their parts.

    Callers send when they have their answer, so a slow farm is asked less. With --rate the
    farm is asked at that rate whatever it does, and latency counts from the moment at which a
    request was due.
    """
    with farm_errors():
        from dataclasses import replace

        from farm.cli.bench_report import print_results, to_document
        from farm.cli.tables import print_json
        from farm.client.codec import to_request
        from farm.client.load.generator import LoadPlan

        levels = _levels(concurrency)
        _check_times(rate, duration, warmup, timeout)
        with farm_client(connect, context) as client:
            metadata = client.metadata(model, version)
            batched = _is_batched(client, metadata, version)
            arrays = _arrays(client, metadata, version, inputs, rows, shape, seed, batched)
            # What is refused once would be refused every time.
            answered = client.infer(model, arrays, version=version, timeout_s=timeout)
        plan = LoadPlan(
            request=to_request(model, arrays, version=version),
            rows=next(iter(arrays.values())).shape[0] if batched and arrays else 1,
            rate_per_s=rate,
            duration_s=duration,
            warmup_s=warmup,
            timeout_s=timeout,
            stream=stream,
            seed=seed,
        )
        plans = [replace(plan, concurrency=level) for level in (levels if rate is None else [1])]
        results = [_run(client, each) for each in plans]
        if output is Output.JSON:
            print_json("bench", to_document(answered, client.address, results))
        else:
            print_results(answered, results)
    _exit(results)


def _run(client: "FarmClient", plan: "LoadPlan") -> "LoadResult":
    import asyncio

    from farm.client.load.generator import run_load

    load = f"{plan.concurrency} at a time" if plan.rate_per_s is None else f"{plan.rate_per_s:g}/s"
    sys.stderr.write(f"{load}: {plan.warmup_s:g} s to warm up, then {plan.duration_s:g} s\n")
    result = asyncio.run(run_load(client.address, plan, tls=client.tls, token=client.token))
    for code, message in result.first_messages.items():
        sys.stderr.write(f"farm: {result.errors[code]} × {code}, first: {message}\n")
    if result.cpu_fraction > _BUSY:
        sys.stderr.write(
            f"farm: the load generator took {result.cpu_fraction:.0%} of a core, so these figures"
            " may be its limit and not the farm's; ask from several machines\n"
        )
    if not result.latency.count and not result.failed:
        sys.stderr.write("farm: nothing was answered in the time measured; try a longer -d\n")
    return result


def _exit(results: "list[LoadResult]") -> None:
    if not any(result.latency.count for result in results):
        raise SystemExit(Exit.FAILED)
    if any(result.failed for result in results):
        raise SystemExit(Exit.PARTLY_FAILED)


def _levels(text: str) -> list[int]:
    words = text.split(",")
    if not all(word.strip().isdecimal() and 1 <= int(word) <= 10_000 for word in words):
        raise ConfigurationError(f"--concurrency {text}: write numbers from 1 to 10000, as in 1,8")
    return [int(word) for word in words]


def _check_times(rate: float | None, duration: float, warmup: float, timeout: float) -> None:
    if rate is not None and not 0 < rate <= 1e6:
        raise ConfigurationError(f"--rate must be above 0 and at most 1000000, not {rate}")
    if not (duration > 0 and warmup >= 0 and timeout > 0):
        raise ConfigurationError("--duration and --timeout must be above 0, --warmup not below")


def _is_batched(client: "FarmClient", metadata: "ModelMetadata", version: str) -> bool:
    """Return whether axis 0 is a batch; a server without configs leaves it to the shapes."""
    from farm.core.errors import UnsupportedError

    try:
        return client.config(metadata.name, version).max_batch_size > 0
    except UnsupportedError:
        return bool(metadata.inputs) and all(
            tensor.shape[:1] == (-1,) for tensor in metadata.inputs
        )


def _arrays(
    client: "FarmClient",
    metadata: "ModelMetadata",
    version: str,
    inputs: list[str] | None,
    rows: int | None,
    shape: list[str] | None,
    seed: int,
    batched: bool,
) -> "dict[str, AnyArray]":
    from farm.client.load.random_inputs import random_inputs

    if inputs:
        if rows is not None or shape:
            raise ConfigurationError("--rows and --shape are for random inputs; leave out --input")
        return arrays_of(inputs, client, metadata, version)
    if rows is not None and rows > 1 and not batched:
        raise ConfigurationError(f"{metadata.name} has no batch axis, so --rows cannot be {rows}")
    shapes = dict(_shape(text) for text in shape or ())
    try:
        return random_inputs(
            metadata.inputs, rows=(rows or 1) if batched else None, shapes=shapes, seed=seed
        )
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{error.message} (--shape NAME=D,D)") from error


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    words = sizes.split(",")
    if not name or not all(word.isdecimal() for word in words):
        raise ConfigurationError(f"--shape {text}: write NAME=D,D, as in image=3,224,224")
    return name, tuple(int(word) for word in words)
