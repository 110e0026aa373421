"""A scenario as its YAML file has it: nodes, models, workload, faults, policy and seed."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, model_validator

from farm.energy.boards import boards
from farm.scheduling.limits import SchedulingLimits
from farm.sim.boards import BASE_MEMORY_MB, LinkFigures, figures
from farm.sim.fault_forms import Fault, apart
from farm.sim.reading import Above, FromZero, Section
from farm.sim.schedulers import known_schedulers

Count = Annotated[int, Field(ge=1)]


# More nodes, or callers, than this take a simulation's memory rather than make a point.
_MOST_NODES = 4096
_MOST_CALLERS = 1_000_000


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise ValueError(f"there is no {what} '{value}'; known are {', '.join(known)}")
    return value


def _limits(value: Any) -> SchedulingLimits:
    if isinstance(value, SchedulingLimits):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("it must be a mapping of the scheduler's limits")
    made = _LIMITS.validate_python(dict(value))
    _check_limits(value, made)
    return made


def _check_limits(given: Mapping[Any, Any], made: Any) -> None:
    """Dataclasses take no notice of names that they do not have, and any number at all."""
    known = tuple(field.name for field in fields(made))
    for name, value in given.items():
        _one_of(str(name), known, "limit")
        found, least = getattr(made, name), _LEAST.get(name, 0)
        if isinstance(value, Mapping):
            _check_limits(value, found)
        elif isinstance(found, int | float) and not found >= least:
            raise ValueError(f"{name} must be at least {least:g}, not {found:g}")


_LIMITS = TypeAdapter(SchedulingLimits)

# The least values of limits that cannot be 0: with less, virtual time would stand still.
_LEAST = {"after_factor": 1, "eject_base_s": 1e-3, "probe_timeout_s": 1e-3}

BoardName = Annotated[
    str, AfterValidator(lambda name: _one_of(name, tuple(figures().boards), "board"))
]
ModelName = Annotated[
    str, AfterValidator(lambda name: _one_of(name, tuple(figures().models), "model"))
]
PolicyName = Annotated[
    str, AfterValidator(lambda name: _one_of(name, known_schedulers(), "policy"))
]


class Nodes(Section):
    """Equal nodes, named after their board: `rpi5-1`, `rpi5-2` and so on.

    `service_cv` is the standard deviation of a batch's seconds over their mean.
    """

    board: BoardName
    count: Annotated[int, Field(ge=1, le=_MOST_NODES)] = 1
    slots: Count = 4
    threads_per_slot: Count = 1
    lookahead: Annotated[int, Field(ge=0)] = 1
    link: LinkFigures | None = None
    service_cv: Annotated[float, Field(ge=0, le=2)] = 0.03
    restart_s: Above = 5.0


class Model(Section):
    """How a model is served; `threads` 0 gives each batch the slot's own."""

    max_batch_size: Annotated[int, Field(ge=0, le=1024)] = 8
    threads: Annotated[int, Field(ge=0)] = 0
    max_instances: Annotated[int, Field(ge=0)] = 0
    max_queue_delay_s: FromZero = 0.0


class Demand(Section):
    """One kind of request in the mix; `share` is its weight among all."""

    model: str
    share: Above = 1.0
    rows: Count = 1
    priority: Count = 1
    deadline_s: Above | None = 60.0
    queue_timeout_s: Above | None = None
    client: str = ""


class _Open(Section):
    """Requests that come whether or not others are done. One of the two gives their mean.

    `load` is a share of what the boards can do together.
    """

    rate_per_s: Above | None = None
    load: Above | None = None

    @model_validator(mode="after")
    def _one_mean(self) -> "_Open":
        if (self.rate_per_s is None) == (self.load is None):
            raise ValueError("give either rate_per_s or load")
        return self


class Poisson(_Open):
    """Independent requests at one rate."""

    kind: Literal["poisson"]


class Bursts(_Open):
    """Poisson at `peak` times the mean for `on_s`, at what is left for `off_s`, and again."""

    kind: Literal["bursts"]
    on_s: Above
    off_s: Above
    peak: Annotated[float, Field(ge=1, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _mean_holds(self) -> "Bursts":
        most = (self.on_s + self.off_s) / self.on_s
        if self.peak > most:
            raise ValueError(f"peak can be at most {most:g} with these on_s and off_s")
        return self


class Diurnal(_Open):
    """Poisson whose rate goes up and down by `swing` of its mean, once a `period_s`."""

    kind: Literal["diurnal"]
    period_s: Above = 86_400.0
    swing: Annotated[float, Field(ge=0, le=1)] = 0.8


class Closed(Section):
    """So many callers, each of whom waits for an answer and thinks before the next request."""

    kind: Literal["closed"]
    callers: Annotated[int, Field(ge=1, le=_MOST_CALLERS)]
    think_s: FromZero = 0.0


class Trace(Section):
    """The requests, nodes and models of a run that `farm up --record` wrote."""

    kind: Literal["trace"]
    file: str


Generated = Poisson | Bursts | Diurnal | Closed
Arrivals = Annotated[Generated | Trace, Field(discriminator="kind")]


class Scenario(Section):
    """One simulation. It ends after `requests` or `duration_s`, whichever comes first.

    What happens before `warmup_s` is left out of latencies and throughput. After the last
    request the farm has `settle_s` to answer what it accepted.
    """

    name: str = ""
    seed: int = 1
    policy: PolicyName = "least_expected_completion"
    requests: Count | None = None
    duration_s: Above | None = None
    warmup_s: FromZero = 0.0
    settle_s: FromZero = 90.0
    nodes: tuple[Nodes, ...] = ()
    models: Mapping[ModelName, Model] = {}
    limits: Annotated[SchedulingLimits, BeforeValidator(_limits)] = SchedulingLimits()
    arrivals: Arrivals
    mix: tuple[Demand, ...] = ()
    faults: Annotated[tuple[Fault, ...], AfterValidator(apart)] = ()

    @model_validator(mode="after")
    def _whole(self) -> "Scenario":
        if isinstance(self.arrivals, Trace):
            for key in ("nodes", "models", "mix"):
                if getattr(self, key):
                    raise ValueError(f"{key}: a trace brings its own; leave this key out")
            return self
        for key in ("nodes", "models", "mix"):
            if not getattr(self, key):
                raise ValueError(f"{key}: there must be at least one")
        if self.requests is None and self.duration_s is None:
            raise ValueError("give requests, duration_s or both: when does it end?")
        self._check_nodes()
        self._check_mix()
        return self

    def _check_nodes(self) -> None:
        known = figures()
        needed_mb = sum(known.models[name].memory_mb for name in self.models)
        for place, group in enumerate(self.nodes):
            board = known.boards[group.board]
            cores = boards()[group.board].cores
            if group.slots * group.threads_per_slot > cores:
                raise ValueError(
                    f"nodes[{place}].slots: {group.slots} slots of {group.threads_per_slot} threads"
                    f" are more than the {cores} cores of a {group.board}"
                )
            if needed_mb + BASE_MEMORY_MB > board.memory_mb:
                raise ValueError(
                    f"nodes[{place}].board: the models take {needed_mb:g} MB and the node itself"
                    f" {BASE_MEMORY_MB} MB, more than the {board.memory_mb:g} MB of a {group.board}"
                )
            for name, model in self.models.items():
                threads = model.threads or group.threads_per_slot
                measured = known.models[name].milliseconds.get(group.board, {})
                if threads not in measured or threads > group.slots * group.threads_per_slot:
                    raise ValueError(
                        f"models.{name}.threads: on a {group.board} figures are known for"
                        f" {', '.join(map(str, measured)) or 'no'} threads, not {threads}, and a"
                        f" node has {group.slots * group.threads_per_slot}"
                    )

    def _check_mix(self) -> None:
        for place, demand in enumerate(self.mix):
            if demand.model not in self.models:
                raise ValueError(
                    f"mix[{place}].model: there is no '{demand.model}' under `models`; there are"
                    f" {', '.join(self.models)}"
                )
            most = max(self.models[demand.model].max_batch_size, 1)
            if demand.rows > most:
                raise ValueError(
                    f"mix[{place}].rows: {demand.rows} rows are more than max_batch_size {most}"
                )
