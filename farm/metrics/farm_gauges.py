"""What is read from a snapshot of the farm when somebody scrapes."""

import platform
from collections.abc import Callable, Iterable
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farm import __version__
from farm.core.clock import Clock
from farm.core.energy import EnergySource
from farm.core.models import ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import EnergyTotals, FarmSnapshot, GatewayState, ModelSnapshot
from farm.metrics.node_gauges import node_gauges


class FarmGauges(Collector):
    """The farm, its models, its nodes and its joules at the moment of a scrape.

    Scrapes run on a thread of their own: what they call must be safe there.
    """

    def __init__(
        self,
        take_snapshot: Callable[[], FarmSnapshot],
        *,
        clock: Clock,
        ledger_drops: Callable[[], int | None],
        unread_bytes: Callable[[], int],
    ) -> None:
        self._take_snapshot = take_snapshot
        self._clock = clock
        self._ledger_drops = ledger_drops
        self._unread_bytes = unread_bytes

    def collect(self) -> Iterable[Metric]:
        snapshot = self._take_snapshot()
        # The operator may have set the clock meanwhile.
        age_s = max((self._clock.unix_ns() - snapshot.taken_unix_ns) / 1e9, 0.0)
        yield _build()
        yield GaugeMetricFamily(
            "farm_snapshot_age_seconds",
            "Since the gateway last looked at itself; grows while it hangs.",
            value=age_s,
        )
        yield _gateway(snapshot.gateway_state)
        yield GaugeMetricFamily(
            "farm_batches_in_flight", "Batches at nodes.", value=snapshot.inflight_batches
        )
        yield GaugeMetricFamily(
            "farm_unread_answer_bytes",
            "Answers of ModelInfer that clients have not read yet.",
            value=self._unread_bytes(),
        )
        nodes = GaugeMetricFamily("farm_nodes", "Nodes by state.", labels=("state",))
        for state in NodeState:
            nodes.add_metric((state,), sum(node.state is state for node in snapshot.nodes))
        yield nodes
        yield from _models(snapshot.models)
        yield from node_gauges(snapshot.nodes, age_s=age_s)
        yield from _energy(snapshot.energy)
        drops = self._ledger_drops()
        if drops is not None:
            yield CounterMetricFamily(
                "farm_ledger_drops",
                "Records that were lost because the disk did not take them.",
                value=drops,
            )


def _one_of(
    family: GaugeMetricFamily, labels: tuple[str, ...], states: type[StrEnum], state: StrEnum
) -> None:
    """Add a series for each state there is: 1 for the present one, 0 for the others."""
    for each in states:
        family.add_metric((*labels, each), each is state)


def _build() -> Metric:
    build = GaugeMetricFamily(
        "farm_build_info", "Always 1; what runs here.", labels=("version", "python")
    )
    build.add_metric((__version__, platform.python_version()), 1)
    return build


def _gateway(state: GatewayState) -> Metric:
    family = GaugeMetricFamily(
        "farm_gateway_state", "1 for the state that the gateway is in.", labels=("state",)
    )
    _one_of(family, (), GatewayState, state)
    return family


def _models(models: Iterable[ModelSnapshot]) -> Iterable[Metric]:
    labels = ("model", "version")
    queued = GaugeMetricFamily("farm_queued_requests", "Requests that wait.", labels=labels)
    ready = GaugeMetricFamily(
        "farm_model_ready_nodes", "Nodes that serve a model now.", labels=labels
    )
    states = GaugeMetricFamily(
        "farm_model_state", "1 for the state that a version is in.", labels=(*labels, "state")
    )
    for model in models:
        key = (model.key.name, str(model.key.version))
        queued.add_metric(key, model.queued_requests)
        ready.add_metric(key, len(model.ready_nodes))
        _one_of(states, key, ModelState, model.state)
    yield queued
    yield ready
    yield states


def _energy(totals: EnergyTotals) -> Iterable[Metric]:
    joules = CounterMetricFamily(
        "farm_energy_joules",
        "What the farm drew in windows that are closed, by where the figure comes from.",
        labels=("source",),
    )
    for source, value in (
        (EnergySource.MEASURED, totals.measured_j),
        (EnergySource.MODELLED, totals.modelled_j),
        (EnergySource.ASSUMED, totals.assumed_j),
    ):
        joules.add_metric((source,), value)
    yield joules
    if totals.cost is not None:
        cost = CounterMetricFamily(
            "farm_cost",
            "What boards and power cost in windows that are closed.",
            labels=("currency",),
        )
        cost.add_metric((totals.currency,), totals.cost)
        yield cost
