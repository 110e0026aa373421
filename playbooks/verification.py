"""Proves from the operator's machine that a farm serves: nodes, models, goldens, a receipt."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.client import AdminClient, ClientTls, FarmClient, ReceiptView
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    PermissionDeniedError,
    UnreachableError,
)
from playbooks.golden_run import GoldenRun, run_goldens

# A Pi 3 qualifies two small models in about a minute.
_READY_S = 300.0
_LOOK_S = 0.5

_READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """How a gateway is reached from here."""

    address: str
    tls: ClientTls


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found: whether requests are answered at all, why nodes do not serve, by name, and
    what the goldens gave.
    """

    serves: bool
    not_ready: Mapping[str, str]
    goldens: tuple[GoldenRun, ...] = ()

    @property
    def receipt(self) -> ReceiptView | None:
        """The first one that this farm gave."""
        return next((run.receipt for run in self.goldens if run.receipt is not None), None)

    @property
    def problems(self) -> tuple[GoldenRun, ...]:
        return tuple(run for run in self.goldens if run.problem)


def await_nodes(
    gateway: Gateway,
    names: Collection[str],
    *,
    tell: Callable[[str], None],
    within_s: float = _READY_S,
) -> Mapping[str, str]:
    """Wait until nodes take batches; return why some do not, by name, when the time is up.

    A cordoned node counts: an operator took it out of service.

    Raises:
        ConfigurationError, IntegrityError, PermissionDeniedError: the gateway does not take this
            machine for an operator's, or this machine does not take it for the farm's.
    """
    waiting = dict.fromkeys(names, "the gateway does not know it")
    said = ""
    deadline = time.monotonic() + within_s
    while waiting and time.monotonic() < deadline:
        try:
            with AdminClient(gateway.address, tls=gateway.tls) as admin:
                states = {node.node_id: node for node in admin.snapshot().nodes}
        except (ConfigurationError, IntegrityError, PermissionDeniedError):
            # No waiting mends what this machine was given to show, or is shown.
            raise
        except FarmError as error:
            # It comes up, or hands over.
            waiting = dict.fromkeys(waiting, error.message)
        else:
            waiting = {
                name: f"{states[name].state}: {states[name].reason or 'no reason given'}"
                if name in states
                else "the gateway does not know it"
                for name in waiting
                if name not in states or states[name].state not in (_READY, "cordoned")
            }
        line = "; ".join(f"{name}: {state}" for name, state in waiting.items())
        if line and line != said:
            said = line
            tell(f"waiting for nodes: {line}")
        if waiting:
            time.sleep(_LOOK_S)
    return waiting


def verify(
    gateway: Gateway,
    nodes: Collection[str],
    repository: Path | None,
    *,
    tell: Callable[[str], None],
) -> Verification:
    """Wait for the nodes, then run the goldens of every version that is served.

    Without a repository there are no goldens to run. A gateway that does not answer is why the
    nodes are not ready.

    Raises:
        FarmError: as `await_nodes`; or the gateway does not answer, and nobody waited for a node.
    """
    not_ready = await_nodes(gateway, nodes, tell=tell)
    try:
        with FarmClient(gateway.address, tls=gateway.tls) as client:
            if not client.ready():
                return Verification(serves=False, not_ready=not_ready)
            goldens = _goldens(gateway, client, repository) if repository is not None else ()
    except UnreachableError:
        if not not_ready:
            raise
        return Verification(serves=False, not_ready=not_ready)
    return Verification(serves=True, not_ready=not_ready, goldens=goldens)


def _goldens(gateway: Gateway, client: FarmClient, repository: Path) -> tuple[GoldenRun, ...]:
    with AdminClient(gateway.address, tls=gateway.tls) as admin:
        served = {(model.name, model.version) for model in admin.index(ready=True)}
    return tuple(run_goldens(client, repository, served))
