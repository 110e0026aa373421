"""Nodes that join, change and are heard."""

from farm.scheduling.events import NodeChanged, NodeHeard, NodeJoined
from farm.scheduling.failures import Failures
from farm.scheduling.health import Health
from farm.scheduling.nodes import Node
from farm.scheduling.state import State


class Membership:
    """Keeps what the machine knows of its nodes as they tell it."""

    def __init__(self, state: State, health: Health, failures: Failures) -> None:
        self._state = state
        self._health = health
        self._failures = failures

    def join(self, event: NodeJoined, now: float) -> None:
        """Take a node in; where it is known in another incarnation, that one is lost."""
        state, profile = self._state, event.profile
        known = state.nodes.get(profile.node_id)
        if known is not None and known.profile.incarnation == profile.incarnation:
            known.prepare(event.ready, limits=state.limits)
            state.nodes.reconsider(known, now)
            return
        if known is not None:
            self._failures.lose(profile.node_id, "the node restarted", now)
        node = Node(profile=profile)
        node.prepare(event.ready, limits=state.limits)
        self._health.greet(node)
        state.nodes.add(node, now)

    def change(self, event: NodeChanged, now: float) -> None:
        """Take what is new about a node."""
        node = self._state.nodes.get(event.node_id)
        if node is None:
            return
        if event.ready is not None:
            node.prepare(event.ready, limits=self._state.limits)
        if event.joules_per_row is not None:
            node.joules_per_row = dict(event.joules_per_row)
        if event.cordoned is not None:
            self._health.cordon(node, now, cordoned=event.cordoned)
        self._state.nodes.reconsider(node, now)

    def hear(self, event: NodeHeard, now: float) -> None:
        """Take a heartbeat of the incarnation that is known."""
        node = self._state.nodes.get(event.node_id)
        if node is None or node.profile.incarnation != event.incarnation:
            return
        self._health.hear(node, now)
        if node.scale(event.speed):
            self._state.nodes.touch(node, now)
