"""Which nodes are suspected, ejected, probed and given up, from what is heard of them."""

from collections.abc import Iterable
from math import inf

from farm.scheduling.alarms import Alarms
from farm.scheduling.effects import EjectNode, ProbeNode, ReplaceNode
from farm.scheduling.events import NodeProbed
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.state import State


class Health:
    """Judges nodes: by heartbeats, by batches that take too long, and by those that fail.

    Nothing here costs a request more than a comparison: a node has one alarm, at the first
    moment at which time alone may change how it stands.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._limits = state.limits
        self._alarms = Alarms()
        # When each node is looked at next; other alarms of it are left over from before.
        self._looks_at: dict[str, float] = {}
        # Overdue batches with their nodes, and since when they are.
        self._overdue: dict[int, tuple[Node, float]] = {}
        # Before this nothing is held against a node that depends on time.
        self._excused_until = -inf
        self._standing_changed = False
        # Nodes that ceased to be trusted since somebody asked.
        self._doubted: dict[str, Node] = {}
        self.panicking = False

    def alarm_at(self) -> float:
        """Return when `judge` should be called next, whatever else happens, or infinity."""
        return self._alarms.earliest()

    # -- what is heard of nodes -------------------------------------------------------

    def greet(self, node: Node) -> None:
        """Begin to follow a node that has joined."""
        node.standing.pardoned = self.panicking
        self._looks_at.pop(node.node_id, None)
        self._standing_changed = True

    def hear(self, node: Node, now: float) -> None:
        """Take a heartbeat. Where silence was all that was held against a node, it is back."""
        standing = node.standing
        if standing.heard_at is None or standing.silent:
            self._look_again(node, now + self._limits.suspect_after_s)
        standing.heard_at = now
        if standing.silent:
            standing.silent = False
            self._changed(node, now)

    def cordon(self, node: Node, now: float, *, cordoned: bool) -> None:
        """Follow an operator's wish that a node gets no new batches, or gets them again."""
        node.standing.cordoned = cordoned
        self._changed(node, now)

    def forget(self) -> None:
        """Note that a node is gone: others may be needed the more."""
        self._standing_changed = True

    # -- what becomes of batches ------------------------------------------------------

    def watch(self, flight: Flight, node: Node, now: float) -> None:
        """Follow a batch that leaves for a node.

        Where nobody knows how long it takes, and where a child process must open the model
        first, it has a generous bound.
        """
        limits = self._limits
        pace = node.ready[flight.batch.digest]
        if flight.batch.isolated or not pace.known:
            flight.overdue_after_s = limits.overdue_unknown_s
        else:
            by_prediction = limits.overdue_factor * flight.predicted_s
            flight.overdue_after_s = max(limits.overdue_min_s, by_prediction)
        self._look_again(node, now + flight.overdue_after_s)

    def praise(self, node: Node) -> None:
        """Count a success; one that was under way when the node was ejected changes nothing."""
        standing = node.standing
        if not standing.ejected:
            standing.failures_in_row = 0
            standing.ejections = 0

    def blame(self, node: Node, now: float) -> None:
        """Count a failure of a node's own; eject it if that is one too many.

        Never more than `eject_max_fraction` of the farm is out at once.
        """
        standing, limits = node.standing, self._limits
        standing.failures_in_row += 1
        if standing.failures_in_row < limits.eject_after_failures or standing.ejected:
            return
        out = sum(other.standing.ejected for other in self._state.nodes)
        if out + 1 <= len(self._state.nodes) * limits.eject_max_fraction:
            self._eject(node, now, f"{standing.failures_in_row} batches in a row failed")

    def pause(self, node: Node, now: float) -> None:
        """Leave a node alone that was full, so that nothing is offered to it in a circle."""
        node.standing.paused_until = now + self._limits.busy_pause_s
        self._state.nodes.touch(node, now)
        self._look_again(node, node.standing.paused_until)

    # -- probes -----------------------------------------------------------------------

    def probed(self, event: NodeProbed, now: float) -> None:
        """Take the end of a probe: the node is back, or out for longer."""
        node = self._state.nodes.get(event.node_id)
        if node is None or node.profile.incarnation != event.incarnation:
            return
        if node.standing.probed_until is None:
            return
        if event.ok:
            node.standing.probed_until = None
            node.standing.failures_in_row = 0
            self._changed(node, now)
        else:
            self._eject(node, now, "it failed the probe that was to end its ejection")

    def _probe(self, node: Node, now: float) -> None:
        node.standing.ejected_until = None
        node.standing.probed_until = now + self._limits.probe_timeout_s
        node_id, incarnation = node.identity
        self._state.effects.append(ProbeNode(node_id, incarnation, tuple(node.ready)))

    def _eject(self, node: Node, now: float, reason: str) -> None:
        """Put a node out, twice as long each time until a success."""
        standing, limits = node.standing, self._limits
        backoff_s = limits.eject_base_s * 2.0 ** min(standing.ejections, 30)
        standing.ejected_until = now + min(backoff_s, limits.eject_max_s)
        standing.probed_until = None
        standing.ejections += 1
        self._changed(node, now)
        self._look_again(node, standing.ejected_until)
        self._state.effects.append(EjectNode(node.node_id, standing.ejected_until, reason))

    # -- time -------------------------------------------------------------------------

    def excuse(self, now: float) -> None:
        """Hold no silence and no delay against nodes yet: the gateway itself stood still.

        What they sent meanwhile is still on its way through the gateway.
        """
        self._excused_until = now + self._limits.stall_s

    def judge(self, now: float) -> list[tuple[Node, str]]:
        """Bring every node's standing up to date; return those that hang, and why.

        Their replacement is among the effects; what they have in flight will not come back.
        """
        self._forgive_landed(now)
        suspects = {node.node_id: node for node in self._look_at_due(now)}
        if self._standing_changed:
            self._standing_changed = False
            if self._weigh(now):
                suspects |= {node.node_id: node for node, _ in self._overdue.values()}
        hanging = []
        for node in suspects.values():
            reason = self._why_hung(node, now)
            if reason:
                hanging.append((node, reason))
                self._state.effects.append(ReplaceNode(*node.identity, reason))
        return hanging

    def doubted(self) -> list[Node]:
        """Return the nodes that are newly suspect or ejected, once, but for pardoned ones."""
        doubted, self._doubted = self._doubted, {}
        nodes = self._state.nodes
        return [
            node
            for node_id, node in doubted.items()
            if nodes.get(node_id) is node and not node.standing.usable
        ]

    def _look_at_due(self, now: float) -> Iterable[Node]:
        for node_id in self._alarms.due(now):
            if self._looks_at.get(node_id, inf) > now:
                continue
            del self._looks_at[node_id]
            node = self._state.nodes.get(node_id)
            if node is not None:
                self._look(node, now)
                self._look_again(node, self._next_look_at(node, now))
                yield node

    def _look(self, node: Node, now: float) -> None:
        """Act on all that time alone has changed about a node."""
        standing, limits = node.standing, self._limits
        trusted, accepts = standing.trusted, standing.accepts
        heard_at = standing.heard_at
        if heard_at is not None and self._is_past(heard_at + limits.suspect_after_s, now):
            standing.silent = True
        for flight in node.flights.values():
            overdue_at = _overdue_at(flight, now)
            if flight.batch.id not in self._overdue and self._is_past(overdue_at, now):
                self._overdue[flight.batch.id] = node, now
                standing.overdue += 1
        if standing.paused_until is not None and standing.paused_until <= now:
            standing.paused_until = None
        if standing.ejected_until is not None and standing.ejected_until <= now:
            self._probe(node, now)
        if standing.probed_until is not None and self._is_past(standing.probed_until, now):
            within = f"{limits.probe_timeout_s:g} s"
            self._eject(node, now, f"it did not answer within {within} the probe of its ejection")
        if trusted != standing.trusted:
            self._changed(node, now)
        elif accepts != standing.accepts:
            self._state.nodes.touch(node, now)

    def _next_look_at(self, node: Node, now: float) -> float:
        """Return when time alone changes something about a node next, or infinity."""
        standing, limits = node.standing, self._limits
        times = [standing.ejected_until, standing.paused_until]
        judged = [standing.probed_until]
        if standing.heard_at is not None:
            silent_at = standing.heard_at + limits.suspect_after_s
            judged.append(silent_at + (limits.hung_silent_s if standing.silent else 0.0))
        for flight in node.flights.values():
            overdue = self._overdue.get(flight.batch.id)
            judged.append(overdue[1] + limits.hung_after_s if overdue else _overdue_at(flight, now))
        times += [None if at is None else max(at, self._excused_until) for at in judged]
        return min((at for at in times if at is not None and at > now), default=inf)

    def _is_past(self, at: float, now: float) -> bool:
        return now >= at and now >= self._excused_until

    def _why_hung(self, node: Node, now: float) -> str:
        """Say why a node must be taken for hung, or nothing.

        A batch that takes for ever is enough. So is one that is overdue at a node that is
        silent, but only if most other nodes are heard: else it is the gateway that hears
        nothing. It waits until every other node would have missed a heartbeat too.
        """
        standing, limits = node.standing, self._limits
        since = [at for owner, at in self._overdue.values() if owner is node]
        if not since or now < self._excused_until:
            return ""
        if now >= min(since) + limits.hung_after_s:
            return f"a batch is overdue by more than {limits.hung_after_s:g} s"
        heard_at = standing.heard_at
        if self.panicking or heard_at is None:
            return ""
        if now < heard_at + limits.suspect_after_s + limits.hung_silent_s:
            return ""
        return f"a batch is overdue and no heartbeat came for {now - heard_at:.1f} s"

    def _forgive_landed(self, now: float) -> None:
        """Trust nodes again whose overdue batches have come back after all."""
        landed = [batch_id for batch_id in self._overdue if batch_id not in self._state.flights]
        for batch_id in landed:
            node, _ = self._overdue.pop(batch_id)
            node.standing.overdue -= 1
            if self._state.nodes.get(node.node_id) is node:
                self._changed(node, now)

    def _weigh(self, now: float) -> bool:
        """Pardon every node while too few are left; return whether that has just ended."""
        usable = [node for node in self._state.nodes if not node.standing.cordoned]
        out = sum(not node.standing.trusted for node in usable)
        panicking = out > len(usable) * self._limits.panic_fraction
        if panicking == self.panicking:
            return False
        self.panicking = panicking
        for node in self._state.nodes:
            node.standing.pardoned = panicking
            self._state.nodes.reconsider(node, now)
        return not panicking

    # -- bookkeeping ------------------------------------------------------------------

    def _changed(self, node: Node, now: float) -> None:
        self._standing_changed = True
        if not node.standing.trusted:
            self._doubted[node.node_id] = node
        self._state.nodes.reconsider(node, now)

    def _look_again(self, node: Node, at: float) -> None:
        if at < self._looks_at.get(node.node_id, inf):
            self._looks_at[node.node_id] = at
            self._alarms.set(at, node.node_id)


def _overdue_at(flight: Flight, now: float) -> float:
    """Return when a batch is overdue; one that waits for its slot has all its time left."""
    started_at = now if flight.started_at is None else flight.started_at
    return started_at + flight.overdue_after_s
