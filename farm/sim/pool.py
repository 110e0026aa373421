"""The simulated nodes and the gateway's side of them: calls, heartbeats, deaths and restarts."""

from collections.abc import Callable
from math import prod

from farm.core.errors import ErrorCode
from farm.core.models import ModelSpec
from farm.core.requests import Batch, BatchCompleted
from farm.core.tensors import Tensor
from farm.scheduling.effects import ProbeNode
from farm.scheduling.events import (
    BatchFinished,
    Event,
    NodeChanged,
    NodeHeard,
    NodeJoined,
    NodeLost,
    NodeProbed,
)
from farm.sim.nodes import Call, Outcome, Refusal, SimulatedNode, settled
from farm.sim.setup import Setup
from farm.sim.timeline import Timeline

# The gateway asks each node for its heartbeat this often, and replaces an actor that has
# been silent for so long, as the cluster's supervisor does.
HEARTBEAT_S = 1.0
LOST_AFTER_S = 5.0

# What a call and a reply hold beside tensors.
_HEAD_BYTES = 200


class SimulatedPool:
    """Carries batches to nodes and back, and tells the scheduler what becomes of nodes."""

    def __init__(self, setup: Setup, *, timeline: Timeline, post: Callable[[Event], None]) -> None:
        self._timeline = timeline
        self._post = post
        # By digest, what every request of a model is answered; what it holds is all the same.
        self._answers = {spec.digest: _answer(spec) for spec in setup.specs}
        self.nodes: dict[str, SimulatedNode] = {
            plan.node_id: SimulatedNode(plan, timeline=timeline, seed=setup.seed, reply=self._reply)
            for plan in setup.nodes
        }

    def start(self) -> None:
        """Bring the nodes up, each with a heartbeat of its own."""
        count = len(self.nodes)
        for place, node in enumerate(self.nodes.values()):
            self._timeline.at(node.plan.joins_at, self.revive, node)
            self._timeline.at(HEARTBEAT_S * (place + 1) / count, self._beat, node)

    # -- what the scheduler wants done ------------------------------------------------

    def execute(self, batch: Batch, node_id: str) -> None:
        """Send a batch to a node."""
        node = self.nodes[node_id]
        call = Call(
            incarnation=node.incarnation,
            digest=batch.digest,
            rows=batch.rows,
            threads=batch.threads or node.plan.threads(batch.digest),
            batch=batch,
            isolated=batch.isolated,
        )
        size = sum(member.size_bytes for member in batch.members)
        if self._send(node, call, size):
            node.calls[batch.id] = call

    def cancel(self, batch_id: int, node_id: str) -> None:
        """Spare a node a batch that it has not begun."""
        call = self.nodes[node_id].calls.get(batch_id)
        if call is not None:
            call.cancelled = True

    def probe(self, probe: ProbeNode) -> None:
        """Try one row of a model at a node, in a slot as any batch."""
        node = self.nodes[probe.node_id]
        digest = next((held for held in probe.digests if held in node.plan.curves), None)
        if digest is None:
            # A node without models only has to be there.
            ok = node.up and not node.hung
            told = NodeProbed(node_id=probe.node_id, incarnation=probe.incarnation, ok=ok)
            self._timeline.at(self._timeline.now + 2 * node.plan.link.base_s, self._post, told)
            return
        call = Call(
            incarnation=probe.incarnation,
            digest=digest,
            rows=1,
            threads=node.plan.threads(digest),
            probe=probe,
        )
        self._send(node, call, _HEAD_BYTES)

    def replace(self, node_id: str, incarnation: str, reason: str) -> None:
        """End an actor by force unless it is a newer one; another is started."""
        node = self.nodes[node_id]
        if node.up and node.incarnation == incarnation:
            self.kill(node, reason)
            self._timeline.at(self._timeline.now + node.plan.restart_s, self.revive, node)

    # -- what becomes of nodes --------------------------------------------------------

    def kill(self, node: SimulatedNode, reason: str) -> None:
        """End a node's actor. Calls under way find it dead; else its next heartbeat does."""
        lost = node.end()
        for call in lost:
            self._fail(node, call)
        noticed_at = self._timeline.now + node.plan.link.base_s
        if not lost:
            noticed_at = max(noticed_at, node.heard_at + HEARTBEAT_S)
        self._timeline.at(noticed_at, self._bury, (node, reason))

    def revive(self, node: SimulatedNode) -> None:
        """Start a node's next actor, which has all models at once, unless it can have none now."""
        if node.up or node.away:
            return
        node.begin()
        plan = node.plan
        self._post(NodeJoined(profile=node.profile(), ready=dict(plan.curves)))
        joules = {digest: plan.joules_per_row(digest) for digest in plan.curves}
        known = {digest: figure for digest, figure in joules.items() if figure is not None}
        if known:
            self._post(NodeChanged(node_id=plan.node_id, joules_per_row=known))

    def _bury(self, death: tuple[SimulatedNode, str]) -> None:
        node, reason = death
        # One that has joined again has told so itself.
        if not node.up:
            self._post(NodeLost(node_id=node.plan.node_id, reason=reason))

    def _beat(self, node: SimulatedNode) -> None:
        now = self._timeline.now
        self._timeline.at(now + HEARTBEAT_S, self._beat, node)
        if not node.up:
            return
        if not node.hung:
            node.heard_at = now
            heard = NodeHeard(
                node_id=node.plan.node_id, incarnation=node.incarnation, speed=node.speed
            )
            self._timeline.at(now + 2 * node.plan.link.base_s, self._post, heard)
        elif now - node.heard_at >= LOST_AFTER_S:
            self.replace(node.plan.node_id, node.incarnation, "it sent no heartbeat")

    # -- calls ------------------------------------------------------------------------

    def _send(self, node: SimulatedNode, call: Call, size_bytes: int) -> bool:
        """Put a call on its way, which may lose it; return whether its node is there at all."""
        if not node.up or call.incarnation != node.incarnation:
            self._fail(node, call)
            return False
        arrives_at = node.down_link.arrival(self._timeline.now, size_bytes + _HEAD_BYTES)
        if not node.lossy_fraction or node.fate.random() >= node.lossy_fraction:
            self._timeline.at(arrives_at, node.receive, call)
        return True

    def _fail(self, node: SimulatedNode, call: Call) -> None:
        """Tell the scheduler, as fast as the network does, that a call found nobody."""
        gone = Refusal(ErrorCode.NODE_LOST, "its actor is gone")
        at = self._timeline.now + node.plan.link.base_s
        self._timeline.at(at, self._settle, (node, call, gone))

    def _reply(self, call: Call, outcome: Outcome) -> None:
        node = self.nodes[call.incarnation.rpartition("#")[0]]
        size = _HEAD_BYTES
        if not isinstance(outcome, Refusal):
            size += call.rows * sum(len(tensor.raw) for tensor in self._answers[call.digest])
        arrives_at = node.up_link.arrival(self._timeline.now, size)
        self._timeline.at(arrives_at, self._arrive, (node, call, outcome))

    def _arrive(self, reply: tuple[SimulatedNode, Call, Outcome]) -> None:
        node, call, _ = reply
        # A call that its node did not outlive was settled with it.
        if call.batch is None or node.calls.pop(call.batch.id, None) is call:
            self._settle(reply)

    def _settle(self, reply: tuple[SimulatedNode, Call, Outcome]) -> None:
        node, call, outcome = reply
        node_id = node.plan.node_id
        if call.probe is not None:
            ok = not isinstance(outcome, Refusal)
            self._post(NodeProbed(node_id=node_id, incarnation=call.incarnation, ok=ok))
        if call.batch is not None:
            answer = self._answers[call.digest]
            end = settled(call.batch, call, outcome, node_id=node_id, answer=answer)
            self._post(BatchFinished(end) if isinstance(end, BatchCompleted) else end)


def _answer(spec: ModelSpec) -> tuple[Tensor, ...]:
    """Return outputs of one row, all zeros."""
    return tuple(
        Tensor(
            name=output.name,
            datatype=output.datatype,
            shape=(1, *output.shape[1:]),
            raw=bytes(prod(output.shape[1:]) * (output.datatype.width_bytes or 1)),
        )
        for output in spec.outputs
    )
