"""`farm nodes cordon`, `uncordon` and `drain`: who gets work."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import completion
from farm.cli.connecting import admin_client
from farm.cli.exits import Exit, exit_code, farm_errors
from farm.cli.node_details import find
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.core.draining import is_idle, running
from farm.core.errors import ConfigurationError, FarmError

if TYPE_CHECKING:
    from farm.client import AdminClient
    from farm.pb.farm_admin_pb2 import FarmSnapshot, NodeSnapshot

_LOOK_S = 0.2

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Nodes, by name.", autocompletion=completion.nodes),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it even if no node is left to serve.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of one node; `state` is "" where the gateway did not tell."""

    node: str
    state: str = ""
    inflight_batches: int = 0
    result: str
    error: FarmError | None = None


def cordon(
    nodes: Names,
    dry_run: DryRun = False,
    yes: Yes = False,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Send nodes no new batches. What runs there ends its run; they keep their models."""
    with farm_errors(), admin_client(connect, context) as admin:
        found = _found(admin.snapshot(), nodes, leaving=True, yes=yes)
        if dry_run:
            _report(_plan(found, cordoned=True), output)
            return
        _end(_tell(found, admin.cordon, "cordoned"), output)


def uncordon(
    nodes: Names,
    dry_run: DryRun = False,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Send nodes batches again."""
    with farm_errors(), admin_client(connect, context) as admin:
        found = _found(admin.snapshot(), nodes)
        if dry_run:
            _report(_plan(found, cordoned=False), output)
            return
        _end(_tell(found, admin.uncordon, "uncordoned"), output)


def drain(
    nodes: Names,
    dry_run: DryRun = False,
    yes: Yes = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait.")] = 120.0,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Cordon nodes and wait until nothing runs there, so that they may be switched off."""
    from farm.cli.progress import changing

    with farm_errors(), admin_client(connect, context) as admin:
        found = _found(admin.snapshot(), nodes, leaving=True, yes=yes)
        if dry_run:
            _report(_plan(found, cordoned=True), output)
            return
        told = _tell(found, admin.cordon, "cordoned")
        waiting = [outcome.node for outcome in told if outcome.error is None]
        failed = [outcome for outcome in told if outcome.error is not None]
        with changing() as show:
            drained = _drained(admin, waiting, timeout, show)
        _end([*drained, *failed], output)


def _found(
    snapshot: "FarmSnapshot", names: Sequence[str], *, leaving: bool = False, yes: bool = False
) -> list["NodeSnapshot"]:
    """Return the nodes of these names, each once, as they are now.

    Raises:
        InvalidRequestError: the farm has no node of a name.
        ConfigurationError: they are `leaving`, nobody else takes batches, and that was not
            agreed to.
    """
    nodes = [find(snapshot, name) for name in dict.fromkeys(names)]
    accepting = {node.node_id for node in snapshot.nodes if node.state == "ready"}
    if leaving and not yes and accepting and accepting <= set(names):
        raise ConfigurationError(
            f"without {', '.join(sorted(accepting))} no node takes batches and requests are not"
            " answered; pass --yes to go on all the same"
        )
    return nodes


def _plan(nodes: Iterable["NodeSnapshot"], *, cordoned: bool) -> list[_Outcome]:
    """Return what a run without --dry-run would do."""
    what = "cordoned" if cordoned else "uncordoned"
    return [
        _Outcome(
            node=node.node_id,
            state=node.state,
            inflight_batches=node.inflight_batches,
            result=f"is {what} already" if node.cordoned is cordoned else f"would be {what}",
        )
        for node in nodes
    ]


def _tell(
    nodes: Iterable["NodeSnapshot"], action: Callable[[str], "NodeSnapshot"], done: str
) -> list[_Outcome]:
    """Tell each node; one that cannot be told does not keep the others from it."""
    outcomes = []
    for before in nodes:
        try:
            after = action(before.node_id)
        except FarmError as error:
            outcomes.append(_Outcome(node=before.node_id, result="failed", error=error))
        else:
            outcomes.append(_outcome(after, done))
    return outcomes


def _outcome(node: "NodeSnapshot", result: str) -> _Outcome:
    return _Outcome(
        node=node.node_id,
        state=node.state,
        inflight_batches=node.inflight_batches,
        result=result,
    )


def _drained(
    admin: "AdminClient", names: Sequence[str], timeout_s: float, show: Callable[[str], None]
) -> list[_Outcome]:
    """Watch cordoned nodes until nothing runs on any of them, or the time is up."""
    from farm.client.snapshots import of_node

    began = time.monotonic()
    shown = ""
    outcomes: list[_Outcome] = []
    for snapshot in admin.watch(_LOOK_S) if names else ():
        waited_s = time.monotonic() - began
        nodes = [find(snapshot, name) for name in names]
        busy = {
            node.node_id: running(known)
            for node in nodes
            if not is_idle(known := of_node(node), waited_s)
        }
        over = waited_s >= timeout_s
        if not busy or over:
            outcomes = [
                _late(node, busy[node.node_id], timeout_s)
                if node.node_id in busy
                else _outcome(node, "drained")
                for node in nodes
            ]
            break
        line = "; ".join(f"{node_id}: {left}" for node_id, left in busy.items())
        if line != shown:
            shown = line
            show(f"draining {line}")
    return outcomes


def _late(node: "NodeSnapshot", left: str, timeout_s: float) -> _Outcome:
    return _Outcome(
        node=node.node_id,
        state=node.state,
        inflight_batches=node.inflight_batches,
        result="failed",
        error=FarmError(
            f"node '{node.node_id}' is not drained after {timeout_s:g} s: {left}. It stays"
            " cordoned: drain it again, or put it back with"
            f" `farm nodes uncordon {node.node_id}`"
        ),
    )


def _end(outcomes: Sequence[_Outcome], output: Output) -> None:
    """Print what became of each node, and end the command if it was not what was asked."""
    _report(outcomes, output)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        sys.stderr.write(f"farm: {error.message}\n")
    if errors:
        raise SystemExit(
            exit_code(errors[0]) if len(errors) == len(outcomes) else Exit.PARTLY_FAILED
        )


def _report(outcomes: Sequence[_Outcome], output: Output) -> None:
    from farm.cli.tables import print_json, print_table

    if output is Output.JSON:
        print_json(
            "nodes",
            [
                {
                    "node": outcome.node,
                    "state": outcome.state,
                    "inflight_batches": outcome.inflight_batches,
                    "result": outcome.result,
                    "error": outcome.error.message if outcome.error is not None else None,
                }
                for outcome in outcomes
            ],
        )
        return
    print_table(
        "Nodes",
        ("node", "state", "in flight", "result"),
        [
            (outcome.node, outcome.state or "-", str(outcome.inflight_batches), outcome.result)
            for outcome in outcomes
        ],
    )
