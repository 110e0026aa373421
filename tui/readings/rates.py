"""What happened a second, from the counts of two snapshots."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from farm.core.models import ModelKey
from farm.core.snapshots import AnswerPrices, FarmSnapshot, ModelSnapshot, NodeWork
from farm.energy.latency import latency_s

# Long enough for a p95 to stand still, short enough to show a change at once.
WINDOW_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRates:
    """What a node did lately; None where it did nothing of the kind.

    `batch_rows` and `batch_s` are means over completed batches; `failures` are batches of the
    window.
    """

    requests_per_s: float = 0.0
    batch_rows: float | None = None
    batch_s: float | None = None
    joules_per_request: float | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRates:
    """What a version did lately; `p50_s` and `p95_s` run from arrival to answer."""

    requests_per_s: float = 0.0
    failures_per_s: float = 0.0
    batch_rows: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmRates:
    """What the whole farm did lately.

    `cost_per_1000` is what a thousand answers cost, in `currency`, and `baseline_per_1000` what
    `baseline` asks for them, in its own.
    """

    requests_per_s: float = 0.0
    p50_s: float | None = None
    p95_s: float | None = None
    joules_per_request: float | None = None
    cost_per_1000: float | None = None
    currency: str = ""
    baseline: str = ""
    baseline_per_1000: float | None = None
    baseline_currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of a farm, its nodes and its models at one moment."""

    farm: FarmRates = FarmRates()
    nodes: Mapping[str, NodeRates]
    models: Mapping[ModelKey, ModelRates]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """What of a snapshot rates are made of."""

    taken_unix_ns: int
    nodes: Mapping[str, NodeWork]
    models: Mapping[ModelKey, ModelSnapshot]
    prices: AnswerPrices


class RateMeter:
    """Turns snapshots, as they come, into rates over the last `WINDOW_S` seconds.

    Another gateway counts from nothing, a recording may be wound back, and what happened while
    nothing was told for long is not of the last seconds: then it begins anew.
    """

    def __init__(self) -> None:
        self._began_unix_ns = 0
        self._counts: deque[_Counts] = deque()

    def take(self, snapshot: FarmSnapshot) -> Rates:
        """Return the rates up to a snapshot; nothing is known from the first one alone."""
        new = _Counts(
            taken_unix_ns=snapshot.taken_unix_ns,
            nodes={node.node_id: node.work for node in snapshot.nodes},
            models={model.key: model for model in snapshot.models},
            prices=snapshot.prices,
        )
        counts = self._counts
        if snapshot.gateway_began_unix_ns != self._began_unix_ns or (
            counts and not 0 < new.taken_unix_ns - counts[-1].taken_unix_ns <= WINDOW_S * 1e9
        ):
            self._began_unix_ns = snapshot.gateway_began_unix_ns
            counts.clear()
        counts.append(new)
        # The first that is left lies at the window's beginning, or just before it.
        while len(counts) > 2 and new.taken_unix_ns - counts[1].taken_unix_ns >= WINDOW_S * 1e9:
            counts.popleft()
        return _rates(counts[0], new)


def _rates(old: _Counts, new: _Counts) -> Rates:
    seconds = (new.taken_unix_ns - old.taken_unix_ns) / 1e9
    nodes = {
        node_id: _node(old.nodes.get(node_id, NodeWork()), work, seconds)
        for node_id, work in new.nodes.items()
    }
    if not seconds:
        return Rates(nodes=nodes, models=dict.fromkeys(new.models, ModelRates()))
    answered = {key: _answered(old.models.get(key), model) for key, model in new.models.items()}
    return Rates(
        farm=_farm(old, new, list(answered.values()), seconds),
        nodes=nodes,
        models={
            key: _model(old.models.get(key), model, answered[key], seconds)
            for key, model in new.models.items()
        },
    )


def _node(old: NodeWork, new: NodeWork, seconds: float) -> NodeRates:
    answers = new.answers_total - old.answers_total
    batches = new.batches_total - old.batches_total
    rows = new.rows_total - old.rows_total
    return NodeRates(
        requests_per_s=answers / seconds if seconds else 0.0,
        batch_rows=rows / batches if batches else None,
        batch_s=(new.compute_s - old.compute_s) / batches if batches else None,
        joules_per_request=(new.joules - old.joules) / answers if answers else None,
        failures=new.failures_total - old.failures_total,
    )


def _answered(old: ModelSnapshot | None, new: ModelSnapshot) -> Sequence[int]:
    """Return the answers between two snapshots, by latency."""
    if old is None or not (old.latencies and new.latencies) or _began_anew(old, new):
        return new.latencies
    return [after - before for before, after in zip(old.latencies, new.latencies, strict=True)]


def _began_anew(old: ModelSnapshot, new: ModelSnapshot) -> bool:
    """Whether a version was unloaded between two snapshots, and counts from nothing again."""
    return new.requests_total < old.requests_total


def _model(
    old: ModelSnapshot | None, new: ModelSnapshot, answered: Sequence[int], seconds: float
) -> ModelRates:
    if old is None or _began_anew(old, new):
        failures, batches, rows = new.failures_total, new.batches_total, new.rows_total
    else:
        failures = new.failures_total - old.failures_total
        batches = new.batches_total - old.batches_total
        rows = new.rows_total - old.rows_total
    return ModelRates(
        requests_per_s=sum(answered) / seconds,
        failures_per_s=failures / seconds,
        batch_rows=rows / batches if batches else None,
        p50_s=latency_s(answered, 0.5),
        p95_s=latency_s(answered, 0.95),
    )


def _farm(
    old: _Counts, new: _Counts, answered: Sequence[Sequence[int]], seconds: float
) -> FarmRates:
    counts = [sum(bucket) for bucket in zip(*filter(None, answered), strict=True)]
    answers = sum(counts)
    joules = sum(
        work.joules - old.nodes.get(node_id, NodeWork()).joules
        for node_id, work in new.nodes.items()
    )
    prices = new.prices
    priced = prices.answers - old.prices.answers
    return FarmRates(
        requests_per_s=answers / seconds,
        p50_s=latency_s(counts, 0.5),
        p95_s=latency_s(counts, 0.95),
        joules_per_request=joules / answers if answers else None,
        cost_per_1000=_per_1000(old.prices.cost, prices.cost, priced),
        currency=prices.currency,
        baseline=prices.baseline,
        baseline_per_1000=_per_1000(old.prices.baseline_cost, prices.baseline_cost, priced),
        baseline_currency=prices.baseline_currency,
    )


def _per_1000(old: float | None, new: float | None, answers: int) -> float | None:
    if new is None or answers <= 0:
        return None
    return (new - (old or 0.0)) / answers * 1000
