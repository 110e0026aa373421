"""What can be put in charge of a simulated farm: the machine under its policies, or a baseline."""

from collections.abc import Iterable
from typing import Protocol

from farm.scheduling.effects import Effect
from farm.scheduling.events import Event
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import POLICIES
from farm.sim.baselines import BASELINES


class Scheduler(Protocol):
    """Takes what happened and returns what to do, as `farm.scheduling.machine.Machine` does."""

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]: ...


def known_schedulers() -> tuple[str, ...]:
    """Return the names that `make_scheduler` knows: policies first, then baselines."""
    return (*POLICIES, *BASELINES)


def make_scheduler(name: str, *, limits: SchedulingLimits, seed: int) -> Scheduler:
    """Return a new scheduler by one of the known names."""
    if name in BASELINES:
        return BASELINES[name](seed)
    return Machine(limits=limits, policy=POLICIES[name](seed))
