"""What happened between two snapshots of a farm."""

from collections.abc import Iterator, Mapping
from typing import Final

from farm.core.events import EventKind, Happening, Severity
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, GatewayState, ModelSnapshot, NodeSnapshot

_GATEWAY: Final[Mapping[GatewayState, EventKind]] = {
    GatewayState.STARTING: EventKind.GATEWAY_STARTED,
    GatewayState.SERVING: EventKind.GATEWAY_SERVING,
    GatewayState.DRAINING: EventKind.GATEWAY_DRAINING,
}
_NODE: Final[Mapping[NodeState, tuple[EventKind, Severity]]] = {
    NodeState.JOINING: (EventKind.NODE_JOINING, Severity.INFO),
    NodeState.READY: (EventKind.NODE_READY, Severity.INFO),
    NodeState.SUSPECT: (EventKind.NODE_SUSPECT, Severity.WARNING),
    NodeState.EJECTED: (EventKind.NODE_EJECTED, Severity.WARNING),
    NodeState.CORDONED: (EventKind.NODE_CORDONED, Severity.INFO),
    NodeState.LOST: (EventKind.NODE_LOST, Severity.ERROR),
}
_MODEL: Final[Mapping[ModelState, tuple[EventKind, Severity]]] = {
    ModelState.LOADING: (EventKind.MODEL_LOADING, Severity.INFO),
    ModelState.READY: (EventKind.MODEL_READY, Severity.INFO),
    ModelState.UNLOADING: (EventKind.MODEL_REMOVED, Severity.INFO),
    ModelState.UNAVAILABLE: (EventKind.MODEL_UNAVAILABLE, Severity.WARNING),
}
# The first four bits of what a Raspberry Pi's firmware says are of this moment.
_THROTTLED: Final[Mapping[int, str]] = {
    0: "its supply gives too little voltage",
    1: "its clock is capped",
    2: "it is throttled",
    3: "it is at its soft temperature limit",
}


def changes(before: FarmSnapshot | None, after: FarmSnapshot) -> Iterator[Happening]:
    """Yield what happened between two snapshots: to the gateway, to nodes, to models.

    Without a `before` that is how the farm is found. What came and went in between is not seen.
    """
    if before is None or before.gateway_state is not after.gateway_state:
        kind = _GATEWAY[after.gateway_state]
        yield Happening(kind=kind, severity=Severity.INFO, subject=after.farm_name)
    nodes = {} if before is None else {node.node_id: node for node in before.nodes}
    for node in after.nodes:
        yield from _node(nodes.get(node.node_id), node)
    models = {} if before is None else {model.key: model for model in before.models}
    for model in after.models:
        yield from _model(models.pop(model.key, None), model)
    for key in models:
        yield _of_model(EventKind.MODEL_REMOVED, Severity.INFO, key, "")


def _node(before: NodeSnapshot | None, after: NodeSnapshot) -> Iterator[Happening]:
    def told(kind: EventKind, severity: Severity, detail: str = "") -> Happening:
        return Happening(kind=kind, severity=severity, subject=after.node_id, detail=detail)

    if _incarnation(before) and _incarnation(after) not in {"", _incarnation(before)}:
        yield told(EventKind.NODE_RESTARTED, Severity.WARNING, "another process took its place")
    if before is None or before.state is not after.state:
        kind, severity = _NODE[after.state]
        if after.state is NodeState.CORDONED and not after.cordoned:
            # It gets no batches and no operator wants that to last.
            kind = EventKind.NODE_RESTARTING
        yield told(kind, severity, after.reason)
    if before is not None and before.cordoned and not after.cordoned:
        yield told(EventKind.NODE_UNCORDONED, Severity.INFO)
    was, now = _throttled(before), _throttled(after)
    if now - was:
        detail = " and ".join(_THROTTLED[bit] for bit in sorted(now))
        yield told(EventKind.NODE_THROTTLED, Severity.WARNING, detail)
    elif was and not now and after.vitals is not None:
        yield told(EventKind.NODE_UNTHROTTLED, Severity.INFO)
    faulty_before = before is not None and bool(before.meter_fault)
    if after.meter_fault and not faulty_before:
        yield told(EventKind.METER_LOST, Severity.WARNING, after.meter_fault)
    elif faulty_before and not after.meter_fault and after.vitals is not None:
        yield told(EventKind.METER_BACK, Severity.INFO)


def _incarnation(node: NodeSnapshot | None) -> str:
    return node.profile.incarnation if node is not None and node.profile is not None else ""


def _throttled(node: NodeSnapshot | None) -> frozenset[int]:
    flags = node.vitals.throttle_flags if node is not None and node.vitals is not None else None
    return frozenset(bit for bit in _THROTTLED if (flags or 0) >> bit & 1)


def _model(before: ModelSnapshot | None, after: ModelSnapshot) -> Iterator[Happening]:
    if before is None or before.state is not after.state:
        kind, severity = _MODEL[after.state]
        yield _of_model(kind, severity, after.key, after.reason)


def _of_model(kind: EventKind, severity: Severity, key: ModelKey, detail: str) -> Happening:
    # A model of which no version is wanted has version 0.
    subject = str(key) if key.version else key.name
    return Happening(kind=kind, severity=severity, subject=subject, detail=detail)
