"""Turns a scenario's file into a setup: boards into curves and links, loads into rates."""

from pathlib import Path

from farm.core.errors import ConfigurationError
from farm.core.models import DynamicBatching, ModelKey, ModelSpec
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.energy.boards import boards
from farm.sim.boards import LinkFigures, figures
from farm.sim.fault_forms import Fault, Flaky, Lossy, Slow
from farm.sim.from_trace import setup_of_trace
from farm.sim.reading import read_yaml
from farm.sim.scenario import (
    Bursts,
    Closed,
    Diurnal,
    Generated,
    Nodes,
    Scenario,
    Trace,
)
from farm.sim.scenario import Model as ServedModel
from farm.sim.setup import (
    FaultKind,
    FaultPlan,
    LinkPlan,
    NodePlan,
    RequestPlan,
    Setup,
    WorkloadPlan,
)
from farm.sim.workload import ClosedPlan, Mix, OpenPlan, Until, bursts, constant, diurnal


def read_scenario(file: Path) -> Scenario:
    """Return a scenario's file.

    Raises:
        ConfigurationError: a value is wrong; the message names the file and the key.
    """
    return read_yaml(file, Scenario)


def replay(trace: Path) -> Scenario:
    """Return the scenario that replays a trace as it was, to be set up with the same path."""
    return Scenario(arrivals=Trace(kind="trace", file=trace.name))


def setup_of(scenario: Scenario, *, file: Path) -> Setup:
    """Return what a scenario that was read from `file` describes.

    Raises:
        ConfigurationError: its trace cannot be used, or a fault is of no node.
    """
    arrivals = scenario.arrivals
    if isinstance(arrivals, Trace):
        setup = setup_of_trace(
            file.parent / arrivals.file,
            seed=scenario.seed,
            limits=scenario.limits,
            until=_until(scenario),
            warmup_s=scenario.warmup_s,
            settle_s=scenario.settle_s,
            faults=_faults(scenario),
        )
    else:
        setup = _simulated(scenario, arrivals, source=str(file))
    known = [plan.node_id for plan in setup.nodes]
    for place, fault in enumerate(scenario.faults):
        if fault.node not in known:
            raise ConfigurationError(
                f"{file}: faults[{place}].node: there is no node '{fault.node}'; the nodes are"
                f" {', '.join(known)}"
            )
    return setup


def _simulated(scenario: Scenario, arrivals: Generated, *, source: str) -> Setup:
    counts: dict[str, int] = {}
    nodes = []
    for group in scenario.nodes:
        for _ in range(group.count):
            number = counts[group.board] = counts.get(group.board, 0) + 1
            nodes.append(_node(f"{group.board}-{number}", group, scenario))
    plans = [_request(scenario, place) for place in range(len(scenario.mix))]
    mix = Mix(plans, [demand.share for demand in scenario.mix])
    requests_per_s = _capacity(nodes, mix)
    rows = sum(p.rows * share for p, share in zip(mix.plans, mix.shares, strict=True))
    return Setup(
        source=source,
        seed=scenario.seed,
        nodes=tuple(nodes),
        specs=tuple(_spec(name, model) for name, model in scenario.models.items()),
        workload=_workload(arrivals, mix, requests_per_s, _until(scenario)),
        limits=scenario.limits,
        faults=_faults(scenario),
        warmup_s=scenario.warmup_s,
        settle_s=scenario.settle_s,
        capacity_rows_per_s=requests_per_s * rows / sum(mix.shares),
    )


def _node(node_id: str, group: Nodes, scenario: Scenario) -> NodePlan:
    board = figures().boards[group.board]
    hardware = boards()[group.board]
    curves = {
        _digest(name): figures()
        .models[name]
        .curve(
            group.board,
            threads=model.threads or group.threads_per_slot,
            max_rows=max(model.max_batch_size, 1),
        )
        for name, model in scenario.models.items()
    }
    return NodePlan(
        node_id=node_id,
        board=group.board,
        cores=hardware.cores,
        slots=group.slots,
        threads_per_slot=group.threads_per_slot,
        lookahead=group.lookahead,
        curves=curves,
        link=_link(group.link or board.link),
        service_cv=group.service_cv,
        idle_w=hardware.power.idle.typical,
        load_w=hardware.power.load.typical,
        restart_s=group.restart_s,
    )


def _link(given: LinkFigures) -> LinkPlan:
    return LinkPlan(
        base_s=given.base_ms / 1e3,
        bytes_per_s=given.mbit_per_s * 1e6 / 8,
        jitter_s=given.jitter_ms / 1e3,
    )


def _digest(name: str) -> str:
    return f"simulated-{name}"


def _spec(name: str, model: ServedModel) -> ModelSpec:
    known = figures().models[name]
    return ModelSpec(
        key=ModelKey(name, 1),
        digest=_digest(name),
        inputs=(TensorSpec(name="input", datatype=Datatype.UINT8, shape=(-1, known.row_bytes)),),
        outputs=(
            TensorSpec(name="output", datatype=Datatype.UINT8, shape=(-1, known.output_bytes)),
        ),
        max_batch_size=model.max_batch_size,
        joins=model.max_batch_size > 1,
        batching=DynamicBatching(max_queue_delay_s=model.max_queue_delay_s),
        max_instances=model.max_instances,
    )


def _request(scenario: Scenario, place: int) -> RequestPlan:
    demand = scenario.mix[place]
    width = figures().models[demand.model].row_bytes
    tensor = Tensor(
        name="input",
        datatype=Datatype.UINT8,
        shape=(demand.rows, width),
        raw=bytes(demand.rows * width),
    )
    return RequestPlan(
        model=ModelKey(demand.model, 1),
        inputs=(tensor,),
        rows=demand.rows,
        priority=demand.priority,
        deadline_s=demand.deadline_s,
        queue_timeout_s=demand.queue_timeout_s,
        client=demand.client,
    )


def _capacity(nodes: list[NodePlan], mix: Mix) -> float:
    """Return requests per second of all nodes, if each does the mix as it is offered."""
    total = sum(mix.shares)
    return sum(
        total
        / sum(
            share * plan.rows / node.rows_per_s(_digest(plan.model.name))
            for plan, share in zip(mix.plans, mix.shares, strict=True)
        )
        for node in nodes
    )


def _workload(arrivals: Generated, mix: Mix, capacity_per_s: float, until: Until) -> WorkloadPlan:
    if isinstance(arrivals, Closed):
        return ClosedPlan(callers=arrivals.callers, think_s=arrivals.think_s, mix=mix, until=until)
    mean = arrivals.rate_per_s or (arrivals.load or 0.0) * capacity_per_s
    if isinstance(arrivals, Bursts):
        rate, peak = bursts(mean, on_s=arrivals.on_s, off_s=arrivals.off_s, peak=arrivals.peak)
    elif isinstance(arrivals, Diurnal):
        rate, peak = diurnal(mean, period_s=arrivals.period_s, swing=arrivals.swing)
    else:
        rate, peak = constant(mean)
    return OpenPlan(rate=rate, peak=peak, mix=mix, until=until)


def _until(scenario: Scenario) -> Until:
    until = Until()
    if scenario.requests is not None:
        until = Until(scenario.requests, until.at)
    if scenario.duration_s is not None:
        until = Until(until.requests, scenario.duration_s)
    return until


def _faults(scenario: Scenario) -> tuple[FaultPlan, ...]:
    return tuple(_fault(fault) for fault in scenario.faults)


def _fault(fault: Fault) -> FaultPlan:
    return FaultPlan(
        kind=FaultKind(fault.kind),
        node_id=fault.node,
        at_s=fault.at_s,
        for_s=fault.for_s,
        factor=fault.factor if isinstance(fault, Slow) else 1.0,
        told=fault.told if isinstance(fault, Slow) else False,
        fraction=fault.fraction if isinstance(fault, Flaky | Lossy) else 0.0,
    )
