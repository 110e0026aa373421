"""A simulated node: batches run as long as its board's curve says, and faults befall it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log1p, sqrt
from typing import Any

from farm.core.errors import ErrorCode
from farm.core.nodes import NodeProfile
from farm.core.requests import Batch, BatchCompleted, BatchFailed, BatchTiming
from farm.core.tensors import Tensor
from farm.scheduling.effects import ProbeNode
from farm.sim.links import Link
from farm.sim.setup import NodePlan, stream
from farm.sim.timeline import Timeline

# A disposable child process has to start and to open the model: assumed.
ISOLATION_S = 1.0


@dataclass(slots=True, eq=False)
class Call:
    """A batch, or a probe with one row of its own, on its way to a node and back."""

    incarnation: str
    digest: str
    rows: int
    threads: int
    batch: Batch | None = None
    probe: ProbeNode | None = None
    isolated: bool = False
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call has no answer."""

    code: ErrorCode
    message: str


# The seconds that a call ran, or why it did not.
Outcome = float | Refusal
Reply = Callable[[Call, Outcome], None]


class SimulatedNode:
    """One node and what it is going through.

    `up` is false while it has no living actor; `hung` while it neither answers nor forgets.
    `away` counts the faults for which it can have none.
    """

    def __init__(self, plan: NodePlan, *, timeline: Timeline, seed: int, reply: Reply) -> None:
        self.plan = plan
        self.up = False
        self.hung = False
        self.away = 0
        self.slow_factor = 1.0
        self.slow_told = False
        self.flaky_fraction = 0.0
        self.lossy_fraction = 0.0
        self.busy = False
        self.heard_at = 0.0
        self.down_link = Link(plan.link, stream(seed, f"{plan.node_id}/down"))
        back = replace(plan.link, delays_s=())
        self.up_link = Link(back, stream(seed, f"{plan.node_id}/up"))
        self.fate = stream(seed, f"{plan.node_id}/fate")
        # Calls that the gateway waits for, by batch.
        self.calls: dict[int, Call] = {}
        self.busy_thread_s = 0.0
        self.compute_s = 0.0
        self.batches = 0
        self.rows = 0
        self._timeline = timeline
        self._reply = reply
        self._service = stream(seed, f"{plan.node_id}/service")
        spread = sqrt(log1p(plan.service_cv**2))
        # A lognormal factor with mean 1.
        self._sigma, self._mu = spread, -(spread**2) / 2
        self._starts = 0
        self._free = plan.capacity
        self._waiting: deque[Call] = deque()
        # What a hung node has yet to notice, in order.
        self._held: list[tuple[Callable[[Any], None], Any]] = []
        self._seconds: dict[tuple[str, int], float] = {}

    @property
    def incarnation(self) -> str:
        return f"{self.plan.node_id}#{self._starts}"

    @property
    def speed(self) -> float:
        """The clock that its heartbeats tell, as a share of the highest."""
        return 1 / self.slow_factor if self.slow_told else 1.0

    @property
    def busy_threads(self) -> int:
        """Threads that run batches now."""
        return self.plan.capacity - self._free if self.up else 0

    def drawn_j(self, seconds: float) -> float | None:
        """Return the board's joules of the first seconds; None where it has no power model.

        Idle watts all the time, the rest by busy cores (linear) in batches that are over.
        """
        plan = self.plan
        if plan.idle_w is None or plan.load_w is None:
            return None
        return plan.idle_w * seconds + (plan.load_w - plan.idle_w) * self.busy_thread_s / plan.cores

    def profile(self) -> NodeProfile:
        """Return what the node says of this incarnation."""
        plan = self.plan
        return NodeProfile(
            node_id=plan.node_id,
            incarnation=self.incarnation,
            slots=plan.slots,
            threads_per_slot=plan.threads_per_slot,
            lookahead=plan.lookahead,
            board=plan.board,
            cores=plan.cores,
        )

    def begin(self) -> None:
        """Start a new incarnation."""
        self._starts += 1
        self.up, self.hung = True, False
        self.heard_at = self._timeline.now
        self._free = self.plan.capacity

    def end(self) -> list[Call]:
        """End this incarnation; return the calls that nobody will answer."""
        self.up = self.hung = False
        self._waiting.clear()
        self._held.clear()
        lost = list(self.calls.values())
        self.calls.clear()
        return lost

    def thaw(self) -> None:
        """Go on after a hang."""
        self.hung = False
        held, self._held = self._held, []
        for action, argument in held:
            action(argument)

    def receive(self, call: Call) -> None:
        """Take a call off the network: run it, queue it, or refuse it."""
        if self._absent(self.receive, call):
            return
        if not self.busy and not self._waiting and call.threads <= self._free:
            self._start(call)
        elif not self.busy and len(self._waiting) < self.plan.lookahead * self.plan.capacity:
            self._waiting.append(call)
        else:
            self._reply(call, Refusal(ErrorCode.NODE_BUSY, "the node is full"))

    def _absent(self, action: Callable[[Any], None], call: Call) -> bool:
        """Whether a call's incarnation is gone, or hangs and will look at it later."""
        if call.incarnation != self.incarnation or not self.up:
            return True
        if self.hung:
            self._held.append((action, call))
            return True
        return False

    def _start(self, call: Call) -> None:
        if call.cancelled:
            self._reply(call, Refusal(ErrorCode.CANCELLED, "the batch was cancelled"))
            return
        self._free -= call.threads
        seconds = self._nominal(call) * self.slow_factor
        if self._sigma:
            seconds *= self._service.lognormvariate(self._mu, self._sigma)
        if call.isolated:
            seconds += ISOLATION_S
        self._timeline.at(self._timeline.now + seconds, self._finish, (call, seconds))

    def _nominal(self, call: Call) -> float:
        key = call.digest, call.rows
        seconds = self._seconds.get(key)
        if seconds is None:
            curve = self.plan.curves[call.digest]
            seconds = self._seconds[key] = curve.seconds(max(call.rows, 1))
        return seconds

    def _finish(self, run: tuple[Call, float]) -> None:
        call, seconds = run
        if call.incarnation != self.incarnation or not self.up:
            return
        if self.hung:
            self._held.append((self._finish, run))
            return
        self._free += call.threads
        self.busy_thread_s += seconds * call.threads
        if call.batch is not None:
            self.compute_s += seconds
            self.batches += 1
            self.rows += call.rows
        failed = self.flaky_fraction and self.fate.random() < self.flaky_fraction
        self._reply(call, Refusal(ErrorCode.INTERNAL, "the node failed") if failed else seconds)
        while self._waiting and self._waiting[0].threads <= self._free:
            self._start(self._waiting.popleft())


def settled(
    batch: Batch, call: Call, outcome: Outcome, *, node_id: str, answer: tuple[Tensor, ...]
) -> BatchCompleted | BatchFailed:
    """Return how a batch ended, in the scheduler's words, each request with one `answer`."""
    if isinstance(outcome, Refusal):
        return BatchFailed(
            batch_id=batch.id,
            node_id=node_id,
            incarnation=call.incarnation,
            code=outcome.code,
            message=outcome.message,
            retryable=True,
        )
    return BatchCompleted(
        batch_id=batch.id,
        node_id=node_id,
        incarnation=call.incarnation,
        outputs=(answer,) * len(batch.members),
        timing=BatchTiming(input_ns=0, infer_ns=round(outcome * 1e9), output_ns=0),
    )
