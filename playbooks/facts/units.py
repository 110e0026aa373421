"""How systemd's units fare."""

from collections.abc import Mapping
from dataclasses import dataclass

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """The words are systemd's: `active` is active, inactive, failed, activating, …

    `status` is the service's own word. `needs_reload` says that the unit's file is newer
    than what systemd has read.
    """

    loaded: bool = False
    enabled: bool = False
    active: str = "inactive"
    result: str = ""
    restarts: int = 0
    status: str = ""
    needs_reload: bool = False


ABSENT = UnitState()
_PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,Result,NRestarts,StatusText,NeedDaemonReload"


def _parse(told: Result) -> Mapping[str, UnitState]:
    blocks = (pairs(block) for block in told.stdout.replace("\r", "").split("\n\n"))
    return {
        said["Id"]: UnitState(
            loaded=said.get("LoadState") == "loaded",
            enabled=said.get("UnitFileState") == "enabled",
            active=said.get("ActiveState", "inactive"),
            result=said.get("Result", ""),
            restarts=whole(said.get("NRestarts")) or 0,
            status=said.get("StatusText", ""),
            needs_reload=said.get("NeedDaemonReload") == "yes",
        )
        for said in blocks
        if "Id" in said
    }


def unit_states(*names: str) -> Fact[Mapping[str, UnitState]]:
    """Return the question how units fare, by their full names."""
    return Fact(
        name=f"units {' '.join(names)}",
        command=sh("systemctl", "show", "-p", _PROPERTIES, "--", *names),
        parse=_parse,
    )


def unit_state(name: str) -> Fact[UnitState]:
    """Return the question how one unit fares."""
    states = unit_states(name)
    return Fact(
        name=f"unit {name}",
        command=states.command,
        parse=lambda told: states.parse(told).get(name, ABSENT),
    )
