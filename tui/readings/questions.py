"""What an operator is asked before something is done to a farm: what it will do, to how much."""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.core.nodes import NodeState
from farm.core.snapshots import ModelSnapshot, NodeSnapshot
from tui.readings.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, what comes of a yes, and the word for that yes."""

    text: str
    consequence: str
    yes: str


def cordon(reading: Reading, node: NodeSnapshot) -> Question:
    """Ask whether a node is to be taken out of service."""
    return _asked(
        "cordon",
        f"Cordon {node.node_id}?",
        f"It gets no new batches{_in_flight(node, 'ends normally', 'end normally')}.",
        _others(reading, node),
    )


def drain(reading: Reading, node: NodeSnapshot) -> Question:
    """Ask whether a node is to be taken out of service until nothing runs there."""
    return _asked(
        "drain",
        f"Drain {node.node_id}?",
        f"It gets no new batches{_in_flight(node, 'is waited for', 'are waited for')}.",
        _others(reading, node),
    )


def uncordon(_: Reading, node: NodeSnapshot) -> Question:
    """Ask whether a node is to be put back into service."""
    return _asked("uncordon", f"Uncordon {node.node_id}?", "It gets batches again.")


def restart(reading: Reading, node: NodeSnapshot) -> Question:
    """Ask whether a node's process is to be replaced."""
    ended = _in_flight(
        node,
        "is waited for, and run elsewhere if it takes too long",
        "are waited for, and run elsewhere if they take too long",
    )
    return _asked(
        "restart",
        f"Restart {node.node_id}?",
        f"Its process is ended and a new one started{ended}. It serves again once it"
        " has its models.",
        _others(reading, node),
    )


def load(versions: Sequence[ModelSnapshot], name: str) -> Question:
    """Ask whether a model is to be loaded, or loaded again."""
    return _asked(
        "load",
        f"Load {name}?",
        "What the repository holds now is brought to every node that can take it; what is"
        f" served is served until then{_served(versions)}.",
    )


def unload(versions: Sequence[ModelSnapshot], name: str) -> Question:
    """Ask whether a model is to be served no longer."""
    waiting = sum(version.queued_requests for version in versions)
    answered = f"; {_count(waiting, 'request')} in its queue will be answered" if waiting else ""
    return _asked(
        "unload",
        f"Unload {name}?",
        f"It is served no longer{_served(versions)}{answered}. New requests are refused until it"
        " is loaded again.",
    )


def leave(names: Sequence[str]) -> Question:
    """Ask whether the screen is to end while things are under way."""
    return _asked(
        "quit",
        f"Quit while this is under way: {', '.join(names)}?",
        "What comes of it is told nowhere then, and it may be broken off.",
    )


def _asked(yes: str, text: str, *consequence: str) -> Question:
    return Question(text=text, consequence=" ".join(filter(None, consequence)), yes=yes)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else ('es' if thing.endswith('ch') else 's')}"


def _in_flight(node: NodeSnapshot, one: str, many: str) -> str:
    """Return what becomes of the batches that a node runs, "" where it runs none."""
    busy = node.vitals.slots_busy if node.vitals is not None else 0
    batches = max(node.inflight_batches, busy)
    if not batches:
        return ""
    return f"; {_count(batches, 'batch')} in flight {one if batches == 1 else many}"


def _others(reading: Reading, node: NodeSnapshot) -> str:
    others = sum(
        other.node.state is NodeState.READY
        for other in reading.nodes.values()
        if other.node.node_id != node.node_id
    )
    if not others:
        return "No other node takes batches: requests will not be answered."
    return f"{_count(others, 'other node')} take{'s' * (others == 1)} batches."


def _served(versions: Sequence[ModelSnapshot]) -> str:
    told = [
        f"version {version.key.version} on {_count(len(version.ready_nodes), 'node')}"
        for version in versions
        if version.ready_nodes
    ]
    return f" ({', '.join(told)})" if told else ""
