"""What the farm promises under a fault, which test holds it to that, and what that measured.

The promises are `tests/faults/promises.toml`; the fault tests tell their figures themselves. Of
both, and of nothing else, is docs/reliability.md made.
"""

import json
import statistics
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.report import ROOT, circumstances_text

PROMISES: Final = ROOT / "tests" / "faults" / "promises.toml"
PAGE: Final = ROOT / "docs" / "reliability.md"

# What a run of a test measured, by quantity; and of every test, with its parameters, all runs. A
# test that passed says so once more, without a quantity.
Figures = Mapping[str, float]
Runs = Mapping[str, Sequence[Figures]]

# How each quantity is told. What stands first is told first.
WORDS: Final[Mapping[str, str]] = {
    "requests": "{:,.0f} requests",
    "answered": "{:,.0f} answered",
    "failed": "{:,.0f} failed",
    "refused": "{:,.0f} refused",
    "faults": "{:,.0f} faults",
    "rounds": "{:,.0f} rounds",
    "connections": "{:,.0f} connections",
    "connections_cut": "{:,.0f} connections cut",
    "goodput_of_peak": "goodput {:.2f} of the peak",
    "refusal_of_timeout": "99 % of the refusals within {:.4f} of the time-out",
    "longest_queue": "at most {:,.0f} waiting",
    "expired_while_running": "{:,.0f} expired while they ran",
    "p99_ratio": "p99 {:.1f} times the normal one",
    "last_batch_s": "last batch after {:.1f} s",
    "recovered_s": "as before after {:.1f} s",
    "grown_mib": "the gateway grew by {:,.0f} MiB",
    "gateway_first_mib": "gateway {:.0f} MiB at first",
    "gateway_last_mib": "{:.0f} MiB at last",
    "gateway_growth": "{:.3f} times the memory",
    "gateway_first_descriptors": "{:.0f} descriptors at first",
    "gateway_last_descriptors": "{:.0f} at last",
    "node_first_mib": "a node {:.0f} MiB at first",
    "node_last_mib": "{:.0f} MiB at last",
    "node_growth": "{:.3f} times the memory",
    "node_first_descriptors": "{:.0f} descriptors at first",
    "node_last_descriptors": "{:.0f} at last",
}

_HEAD: Final = (
    "# Reliability\n\n"
    "What the farm promises when something fails, what that cost when it was last measured, and"
    " the test that holds it to its word. A test injects the fault under load, lets the farm"
    " recover, and then checks the history of all requests: each that was sent has exactly one"
    " final reply, within its deadline; an answer is, to the last bit, what the model of its"
    " receipt's digest answers to that question; an error is one of those that are promised;"
    " afterwards nothing waits and nothing runs.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What holds under a fault. `tests` are `path::function`, from the project's root."""

    group: str
    fault: str
    promise: str
    tests: tuple[str, ...]


def read_promises(text: str) -> tuple[Promise, ...]:
    """Return the promises of a TOML file in its order: a table each, under their groups."""
    return tuple(
        Promise(
            group=group, fault=each["fault"], promise=each["promise"], tests=tuple(each["tests"])
        )
        for group, promises in tomllib.loads(text).items()
        for each in promises
    )


def read_runs(lines: Iterable[str]) -> Runs:
    """Return what tests told of themselves: a line of JSON for each run."""
    runs: dict[str, list[Figures]] = defaultdict(list)
    for line in lines:
        told = json.loads(line)
        runs[told["test"]].append(told["figures"])
    return runs


def promised(runs: Runs, promises: Sequence[Promise]) -> Runs:
    """Return the runs of tests that hold a promise."""
    functions = {_function(test) for promise in promises for test in promise.tests}
    return {test: found for test, found in runs.items() if test.partition("[")[0] in functions}


def page(promises: Sequence[Promise], runs: Runs, facts: Mapping[str, Any]) -> str:
    """Return docs/reliability.md. `facts` are the circumstances under which it was measured."""
    parts = [_HEAD]
    for group in dict.fromkeys(promise.group for promise in promises):
        rows = "\n".join(_row(each, runs) for each in promises if each.group == group)
        parts.append(
            f"## {group}\n\n| Fault | Promise | Measured | Held by |\n| --- | --- | --- | --- |\n"
            f"{rows}\n"
        )
    parts.append(
        "## Circumstances\n\nMedians where a test ran more than once; all hosts and all clients"
        " share this one machine. On real hosts what is answered and what failed is of clients"
        " that do not try again; those that do are checked beside them.\n\n"
        f"{circumstances_text(dict(facts))}\n"
        "Again: `python -m benchmarks.faults`, as root for the hosts of the lab.\n"
    )
    return "\n".join(parts)


def _row(promise: Promise, runs: Runs) -> str:
    tests = ", ".join(
        f"[{_function(test)}](../{test.partition('::')[0]})" for test in promise.tests
    )
    return f"| {promise.fault} | {promise.promise} | {_measured(promise, runs)} | {tests} |"


def _measured(promise: Promise, runs: Runs) -> str:
    """Return what the tests of a promise told, a line for each set of their parameters.

    Without figures it held if each of its tests has passed.
    """
    functions = {_function(test) for test in promise.tests}
    found = promised(runs, [promise])
    if functions - {test.partition("[")[0] for test in found}:
        return "not run"
    lines = [
        f"{_case(test)}{told}"
        for test in sorted(found)
        if (told := "; ".join(_quantities(found[test])))
    ]
    return "<br>".join(lines) or "held"


def _quantities(runs: Sequence[Figures]) -> Iterator[str]:
    known = {quantity for figures in runs for quantity in figures}
    unknown = known - WORDS.keys()
    if unknown:
        raise KeyError(f"no words for {', '.join(sorted(unknown))}; add them to WORDS")
    for quantity, words in WORDS.items():
        values = [figures[quantity] for figures in runs if quantity in figures]
        if values:
            yield words.format(statistics.median(values))


def _function(test: str) -> str:
    return test.partition("::")[2]


def _case(test: str) -> str:
    parameters = test.partition("[")[2].removesuffix("]")
    return f"{parameters}: " if parameters else ""
