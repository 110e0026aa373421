"""From the rounds of the serving benchmark to medians, spreads and ratios."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.processes import GATEWAY
from benchmarks.report import spread
from benchmarks.servers import FARM
from benchmarks.subjects import DIGITS, MOBILENET

BARE: Final = "bare"
# Fewer give no verdict.
MIN_ROUNDS: Final = 5

# What the servers' figures are, beside those of their CPU.
_FIGURES: Final = (
    *("per_s", "p50_ms", "p95_ms", "p99_ms"),
    *("cpu_ms", "generator_cores", "others_cores"),
)

Round = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A figure of one round with its target; `of` raises KeyError where a part is missing."""

    figure: str
    target: float
    at_least: bool
    of: Callable[[Round], float]

    def judged(self, rounds: Sequence[Round]) -> dict[str, Any]:
        """Return the figure's spread over the rounds that have it, and whether it is met."""
        values = list(_present(self.of, rounds))
        bound = f"{'>=' if self.at_least else '<='} {self.target:g}"
        if not values:
            return {"figure": self.figure, "target": bound, "met": None}
        got = spread(values)
        median = got["median"]
        met = median >= self.target if self.at_least else median <= self.target
        return {"figure": self.figure, "target": bound, **got, "met": met}


def _present(of: Callable[[Round], float], rounds: Iterable[Round]) -> Iterable[float]:
    for measured in rounds:
        try:
            yield of(measured)
        except KeyError:
            continue


def _against_server(model: str, concurrency: str, figure: str, peer: str) -> Any:
    def ratio(measured: Round) -> float:
        ours = measured[FARM][model][concurrency][figure]
        return float(ours / measured[peer][model][concurrency][figure])

    return ratio


def _against_bare(model: str, concurrency: str) -> Any:
    def ratio(measured: Round) -> float:
        ours = measured[FARM][model][concurrency]["per_s"]
        return float(ours / _best(measured[BARE][model]))

    return ratio


def _best(by_batch: Mapping[str, Any]) -> float:
    return float(max(got["per_s"] for got in by_batch.values()))


def _gateway_us(measured: Round) -> float:
    return float(measured[FARM][DIGITS]["64"]["cpu_ms_by_role"][GATEWAY] * 1e3)


AIMS: Final = (
    Aim(
        figure="digits-sized, concurrency 64: requests/s of the farm / of PyTriton",
        target=1.3,
        at_least=True,
        of=_against_server(DIGITS, "64", "per_s", "pytriton"),
    ),
    Aim(
        figure="digits-sized, concurrency 64: requests/s of the farm / of Ray Serve",
        target=12.0,
        at_least=True,
        of=_against_server(DIGITS, "64", "per_s", "ray_serve"),
    ),
    Aim(
        figure="digits-sized, concurrency 1: p50 of the farm / of PyTriton",
        target=0.6,
        at_least=False,
        of=_against_server(DIGITS, "1", "p50_ms", "pytriton"),
    ),
    *(
        Aim(
            figure=f"MobileNetV2-sized, concurrency {concurrency}: requests/s of the farm / rows/s"
            " of the bare loop at its best batch",
            target=0.97,
            at_least=True,
            of=_against_bare(MOBILENET, concurrency),
        )
        for concurrency in ("8", "64")
    ),
    *(
        Aim(
            figure=f"MobileNetV2-sized, concurrency {concurrency}: requests/s of the farm / of"
            " MLServer",
            target=1.5,
            at_least=True,
            of=_against_server(MOBILENET, concurrency, "per_s", "mlserver"),
        )
        for concurrency in ("8", "64")
    ),
    Aim(
        figure="digits-sized, concurrency 64: the gateway's CPU a request, µs",
        target=300.0,
        at_least=False,
        of=_gateway_us,
    ),
)


def summarise(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the aims, the bare loop and every server's figures, with their spreads."""
    return {
        "aims": [aim.judged(rounds) for aim in AIMS],
        "bare": _bare([measured[BARE] for measured in rounds]),
        "servers": _servers(rounds),
        "gateway_us_by_thread": _gateway_threads(rounds),
    }


def _bare(rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        model: {
            "per_s": spread(_best(measured[model]) for measured in rounds),
            "per_s_by_batch": {
                batch: spread(measured[model][batch]["per_s"] for measured in rounds)
                for batch in rounds[0][model]
            },
            "others_cores": spread(
                got["others_cores"] for measured in rounds for got in measured[model].values()
            ),
        }
        for model in rounds[0]
    }


def _servers(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return figures by server, model and concurrency, over the rounds that have them."""
    cells: dict[str, dict[str, dict[str, list[Round]]]] = {}
    for measured in rounds:
        for server in measured.keys() - {BARE}:
            for model in measured[server].keys() - {"idle_cores"}:
                for concurrency, figures in measured[server][model].items():
                    by_model = cells.setdefault(server, {}).setdefault(model, {})
                    by_model.setdefault(concurrency, []).append(figures)
    return {
        server: {
            model: {concurrency: _figures(taken) for concurrency, taken in by_load.items()}
            for model, by_load in by_model.items()
        }
        for server, by_model in cells.items()
    }


def _figures(taken: Sequence[Round]) -> dict[str, Any]:
    rows = [got["rows_per_batch"] for got in taken if got["rows_per_batch"] is not None]
    return {
        **{figure: spread(got[figure] for got in taken) for figure in _FIGURES},
        "rate_counts": all(got["rate_counts"] for got in taken),
        "rows_per_batch": spread(rows) if rows else None,
        "rounds": len(taken),
    }


def _gateway_threads(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the gateway's CPU microseconds a small request by thread, at concurrency 64."""
    taken = [
        measured[FARM][DIGITS]["64"]["first_process_cpu_us_by_thread"]
        for measured in rounds
        if "64" in measured.get(FARM, {}).get(DIGITS, {})
    ]
    names = sorted({name for got in taken for name in got})
    return {name: spread(got.get(name, 0.0) for got in taken) for name in names}
