"""When a node that is cordoned has done all its work."""

from typing import Final

from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot

# Within this, a node's next heartbeat has told every other gateway that it is cordoned.
SETTLE_S: Final = 1.0


def is_idle(node: NodeSnapshot, cordoned_for_s: float) -> bool:
    """Whether a node that has been cordoned so long runs nothing, for whatever gateway."""
    if node.inflight_batches:
        return False
    if node.state is NodeState.LOST:
        return True
    heard_s = cordoned_for_s - (node.heartbeat_age_s or 0.0)
    return not _slots_busy(node) and heard_s > SETTLE_S


def running(node: NodeSnapshot) -> str:
    """Return in words what a node that is not idle still does."""
    batches = max(node.inflight_batches, _slots_busy(node))
    if not batches:
        return "waiting for its next heartbeat"
    return f"{batches} {'batch' if batches == 1 else 'batches'} in flight"


def _slots_busy(node: NodeSnapshot) -> int:
    return node.vitals.slots_busy if node.vitals is not None else 0
