"""The serving benchmark's result as Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from benchmarks.generators import MAX_GENERATOR_CORES
from benchmarks.report import circumstances_text, shown, table
from benchmarks.servers import SERVERS
from benchmarks.servers import TITLES as SERVER_TITLES
from benchmarks.serving_summary import MIN_ROUNDS
from benchmarks.subjects import TITLES as MODEL_TITLES

# Others' use of the machine, in cores, from which a figure is called noisy.
_NOISE_CORES: Final = 0.2
# A reason may be a traceback; its end says most.
_REASON_LENGTH: Final = 200
# Threads below this share of the gateway's time are summed.
_THREAD_US: Final = 2.0


def text(result: dict[str, Any]) -> str:
    """Return the report."""
    summary = result["summary"]
    rounds = len(result["rounds"])
    aims = table(
        ("figure", "target", "median", "min..max", "verdict"),
        (_aim(aim, rounds) for aim in summary["aims"]),
    )
    return (
        "# Serving\n\n"
        "One node of one slot and one thread, receipts on; every server has one inference thread,"
        " the same ONNX files and the same session. Servers and load generator share this"
        " machine.\n\n"
        f"{rounds} rounds in rotating order, {result['seconds']:g} s a measurement (twice that for"
        " ResNet-50-sized); one server up at a time; every ratio is taken within its round.\n\n"
        f"Load generator: {result['generator']}, in a process of its own. Every reply's status and"
        " every 16th reply's values are checked.\n\n"
        f"{aims}\n\n"
        f"{_noise(summary)}\n"
        f"{_missing(result['missing'])}"
        "![Requests/s by server](serving.svg)\n\n"
        f"{_models(summary)}"
        f"{_gateway(summary['gateway_us_by_thread'])}"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}"
        f"{_peers(result['peers'])}\n"
        "Again: `make bench-serving`. Every round's value is in `serving.json`.\n"
    )


def _aim(aim: dict[str, Any], rounds: int) -> Sequence[str]:
    if aim["met"] is None:
        return (aim["figure"], aim["target"], "", "", "not measured")
    verdict = "met" if aim["met"] else "missed"
    if rounds < MIN_ROUNDS:
        verdict = f"none: fewer than {MIN_ROUNDS} rounds"
    return (aim["figure"], aim["target"], *shown(aim, "{:.3g}"), verdict)


def _noise(summary: dict[str, Any]) -> str:
    loads = [
        figures["others_cores"]["median"]
        for by_model in summary["servers"].values()
        for by_concurrency in by_model.values()
        for figures in by_concurrency.values()
    ]
    worst = max([*loads, *(bare["others_cores"]["median"] for bare in summary["bare"].values())])
    judged = "noisy: take it again on a quiet machine" if worst > _NOISE_CORES else "quiet"
    return f"Other work on the machine used at most {worst:.2f} cores (medians): {judged}.\n"


def _missing(reasons: dict[str, str]) -> str:
    if not reasons:
        return ""
    rows = (
        (what, " ".join(reason.split())[-_REASON_LENGTH:].replace("|", "/"))
        for what, reason in reasons.items()
    )
    return f"Not measured, or not in every round:\n\n{table(('what', 'why'), rows)}\n\n"


def _models(summary: dict[str, Any]) -> str:
    header = (
        *("server", "concurrency", "requests/s", "min..max", "p50, ms", "p95, ms", "p99, ms"),
        *("CPU ms a request", "generator, cores"),
    )
    return "".join(
        f"## {MODEL_TITLES[model]}\n\n"
        f"{table(header, _rows(model, bare, summary['servers']))}\n\n"
        f"The bare loop by batch, rows/s (medians): {_by_batch(bare)}.\n\n"
        for model, bare in summary["bare"].items()
    )


def _by_batch(bare: dict[str, Any]) -> str:
    return ", ".join(f"{b}: {got['median']:g}" for b, got in bare["per_s_by_batch"].items())


def _rows(model: str, bare: dict[str, Any], servers: dict[str, Any]) -> Iterable[Sequence[str]]:
    best = ("bare loop, best batch", "", *shown(bare["per_s"], "{:.4g}"))
    yield (*best, "", "", "", "", "")
    for name in SERVERS:
        for concurrency, got in servers.get(name, {}).get(model, {}).items():
            generator = f"{got['generator_cores']['median']:.2f}"
            if not got["rate_counts"]:
                generator += f": over {MAX_GENERATOR_CORES:g}, the rate does not count"
            yield (
                SERVER_TITLES[name],
                concurrency,
                *shown(got["per_s"], "{:.4g}"),
                *(f"{got[figure]['median']:.2f}" for figure in ("p50_ms", "p95_ms", "p99_ms")),
                f"{got['cpu_ms']['median']:.3f}",
                generator,
            )


def _gateway(by_thread: dict[str, Any]) -> str:
    """Return where the gateway's time goes; its threads are known by the system's names."""
    if not by_thread:
        return ""
    large = {name: got for name, got in by_thread.items() if got["median"] >= _THREAD_US}
    rest = sum(got["median"] for name, got in by_thread.items() if name not in large)
    rows = [
        (name, *shown(got, "{:.0f}"))
        for name, got in sorted(large.items(), key=lambda item: -item[1]["median"])
    ]
    rows.append(("all others", f"{rest:.0f}", ""))
    return (
        "## The gateway's CPU, µs a request\n\n"
        "digits-sized at concurrency 64, by thread; threads of one name are summed.\n\n"
        f"{table(('thread', 'median', 'min..max'), rows)}\n\n"
    )


def _peers(versions: dict[str, str]) -> str:
    return "".join(f"- {title}: {named}\n" for title, named in versions.items())
