"""Whether the farm's services run, and with what lies on their host now."""

from dataclasses import dataclass

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact
from playbooks.facts.units import UnitState, unit_state
from playbooks.services import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """`current` says that the unit was started with what lies there now."""

    unit: UnitState
    current: bool

    @property
    def active(self) -> bool:
        return self.unit.active == "active"

    @property
    def stale(self) -> bool:
        """Whether it runs with what was there before."""
        return self.active and not self.current


def service_state(service: Service) -> Fact[ServiceState]:
    """Return the question how a service fares."""
    unit = unit_state(service.unit)

    def parse(told: Result) -> ServiceState:
        stamps = [line[6:] for line in told.stdout.splitlines() if line.startswith("stamp ")]
        same = len(stamps) == 2 and stamps[0] == stamps[1] != ""
        return ServiceState(unit=unit.parse(told), current=same)

    return Fact(
        name=f"service {service.unit}",
        command=f"{unit.command}\n"
        f'echo\necho "stamp $({service.stamp})"\n'
        f'echo "stamp $({sh("cat", service.marker)})"',
        parse=parse,
        # Some of the inputs are secrets.
        sudo=True,
    )
