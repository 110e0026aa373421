"""`farm baselines`: the clouds that the farm is compared with, and what they ask."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import completion
from farm.cli.exits import farm_errors
from farm.cli.options import Output, OutputFormat

if TYPE_CHECKING:
    from farm.energy.baselines import Baseline, BaselinePrice, Workload

File = Annotated[
    Path | None,
    typer.Option(help="Your own baselines, which add to the package's or replace them."),
]

app = typer.Typer(help="The clouds that the farm is compared with.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The clouds that the farm is compared with."""


# More than anybody asks for, and small enough to reckon with.
_MOST = 1e12


def _finite(value: float | None) -> float | None:
    if value is not None and not (isfinite(value) and value <= _MOST):
        raise typer.BadParameter(f"must be a number, and at most {_MOST:g}")
    return value


@app.command("ls")
def ls(file: File = None, output: OutputFormat = Output.TABLE) -> None:
    """List the baselines, with the day of their prices and where those were read."""
    from farm.cli.tables import print_json, print_table
    from farm.sections.catalogue import read_catalogue

    with farm_errors():
        catalogue = read_catalogue(file)
    today = _today()
    known = catalogue.baselines.values()
    if output is Output.JSON:
        print_json("baselines", [_described(each, today) for each in known])
    else:
        print_table(
            "Baselines",
            ("name", "what", "prices of", "age", "source"),
            [
                (
                    each.name,
                    f"{each.provider} {each.service} ({each.region})",
                    each.read.isoformat(),
                    _age(each, today),
                    each.source,
                )
                for each in known
            ],
        )
    _say_stale(len(catalogue.stale(today)))


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(help="As `farm baselines ls` has it.", autocompletion=completion.baselines),
    ],
    compute_ms: Annotated[
        float,
        typer.Option(
            min=0, callback=_finite, help="What a request takes one core of a Raspberry Pi 5."
        ),
    ] = 50.0,
    memory_mb: Annotated[
        float, typer.Option(min=0, callback=_finite, help="What serves it needs.")
    ] = 256.0,
    request_kb: Annotated[
        float, typer.Option(min=0, callback=_finite, help="Of 1,000 bytes.")
    ] = 100.0,
    response_kb: Annotated[
        float, typer.Option(min=0, callback=_finite, help="Of 1,000 bytes.")
    ] = 1.0,
    per_day: Annotated[
        float, typer.Option(min=1, callback=_finite, help="How many ask in a day.")
    ] = 1000.0,
    input_tokens: Annotated[
        float | None,
        typer.Option(min=0, callback=_finite, help="That a request is to a language model."),
    ] = None,
    output_tokens: Annotated[
        float | None,
        typer.Option(min=0, callback=_finite, help="That its answer is to a language model."),
    ] = None,
    file: File = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Price a day of requests like one that you describe, part by part."""
    from farm.cli.tables import print_json
    from farm.core.errors import ConfigurationError
    from farm.energy.baselines import Tokens, Unpriced, Workload, price
    from farm.energy.pricing_rules import DAY_S, MB, TokenRule
    from farm.sections.catalogue import read_catalogue

    tokens = None
    if input_tokens is not None and output_tokens is not None:
        tokens = Tokens(input=input_tokens, output=output_tokens)
    work = Workload(
        requests=per_day,
        seconds=DAY_S,
        compute_s=compute_ms / 1e3 * per_day,
        memory_bytes=round(memory_mb * MB),
        request_bytes=request_kb * 1e3 * per_day,
        response_bytes=response_kb * 1e3 * per_day,
        tokens=tokens,
    )
    with farm_errors():
        baseline = read_catalogue(file).baseline(name)
        priced = price(baseline, work)
        if isinstance(priced, Unpriced):
            unsaid = tokens is None and isinstance(baseline.rule, TokenRule)
            hint = "; give --input-tokens and --output-tokens" if unsaid else ""
            raise ConfigurationError(f"{name} has no price for this: {priced.reason}{hint}")
    today = _today()
    if output is Output.JSON:
        print_json("price", {**_described(baseline, today), **_bill(priced)})
    else:
        _print_bill(baseline, priced, work, today)
    _say_stale(int(baseline.stale(today)))


def _print_bill(
    baseline: "Baseline", priced: "BaselinePrice", work: "Workload", today: date
) -> None:
    from farm.cli.tables import print_table

    currency = priced.currency
    rows = [
        (
            part.what,
            f"{part.quantity:.6g} {part.unit}",
            _decimal(part.unit_price),
            _decimal(part.amount / work.requests * 1000),
        )
        for part in priced.parts
    ]
    rows.append(("together", "", "", _decimal(priced.total / work.requests * 1000)))
    print_table(
        f"{baseline.name}: {work.requests:,.0f} requests a day",
        ("part", "a day", f"{currency} a unit", f"{currency} per 1,000 requests"),
        rows,
    )
    for assumption in priced.assumptions:
        sys.stdout.write(f"- {assumption}\n")
    read = baseline.read.isoformat()
    sys.stdout.write(f"- prices of {read} ({_age(baseline, today)}): {baseline.source}\n")


def _bill(priced: "BaselinePrice") -> dict[str, Any]:
    return {
        "requests": priced.requests,
        "parts": [
            {
                "what": part.what,
                "quantity": part.quantity,
                "unit": part.unit,
                "unit_price": part.unit_price,
                "amount": part.amount,
            }
            for part in priced.parts
        ],
        "total": priced.total,
        "per_request": priced.per_request,
        "per_1000": priced.per_1000,
        "assumptions": list(priced.assumptions),
    }


def _described(baseline: "Baseline", today: date) -> dict[str, Any]:
    speed = baseline.speed
    return {
        "name": baseline.name,
        "provider": baseline.provider,
        "service": baseline.service,
        "region": baseline.region,
        "currency": baseline.currency,
        "read": baseline.read.isoformat(),
        "age_days": baseline.age_days(today),
        "stale": baseline.stale(today),
        "source": baseline.source,
        "speed": None
        if speed is None
        else {"factor": speed.factor, "basis": speed.basis, "note": speed.note},
        "leaves_out": baseline.leaves_out,
    }


def _age(baseline: "Baseline", today: date) -> str:
    days = baseline.age_days(today)
    if days < 0:
        return "of a day to come"
    return f"{days} day{'s' * (days != 1)}{', stale' if baseline.stale(today) else ''}"


def _decimal(amount: float) -> str:
    """Return six digits of an amount; those of small ones stand behind zeros, not a power."""
    return f"{Decimal(f'{amount:.6g}'):f}"


def _say_stale(count: int) -> None:
    from farm.energy.baselines import STALE_AFTER_DAYS

    if count:
        sys.stderr.write(
            f"farm: prices older than {STALE_AFTER_DAYS} days: of {count}"
            f" baseline{'s' * (count != 1)}; check them, and give newer ones with --file\n"
        )


def _today() -> date:
    return datetime.now(UTC).date()
