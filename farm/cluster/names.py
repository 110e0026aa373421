"""What the farm's things are called in Ray."""

from typing import Final

# Ray's namespace for all actors of a farm.
NAMESPACE: Final = "farm"


def actor_name(node_id: str) -> str:
    """Return the name under which a node's actor is found."""
    return f"node-{node_id}"


def resource_name(node_id: str) -> str:
    """Return the Ray resource that pins a node's actor to its machine."""
    return f"farm_node_{node_id}"
