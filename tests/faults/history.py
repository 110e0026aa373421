"""What clients sent and what they were told, and where a farm broke its word to them.

A history is recorded while a fault is injected and checked afterwards. It knows nothing of how
the farm works: only what was sent, what came back, and when.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from farm.core.errors import ErrorCode

# What a reply may come after its deadline: clients count the time themselves, on busy cores.
_GRACE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it left its client, at `at_s`, to be answered within `timeout_s`.

    `question` names its inputs.
    """

    number: int
    at_s: float
    question: str
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered; its digest and the node are the receipt's, `outputs` names them."""

    model_digest: str
    node: str
    outputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no answer."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a client was told in the end, and when."""

    number: int
    at_s: float
    outcome: Answer | Failure


# While no node is left there is nothing but these to be told.
NO_NODE_LEFT: Final = (
    ErrorCode.MODEL_UNAVAILABLE,
    ErrorCode.NODE_LOST,
    ErrorCode.QUEUE_TIMEOUT,
)

# What a model, by its digest, answers to a question.
Truth = Mapping[tuple[str, str], str]


@dataclass(slots=True)
class History:
    """Everything that was sent and told, each in the order in which it happened."""

    sent: list[Sent] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def answers(
        self, *, since_s: float = 0.0, until_s: float = inf
    ) -> Iterator[tuple[Reply, Answer]]:
        """Yield the answers that came in a time."""
        for reply in self.replies:
            if since_s <= reply.at_s < until_s and isinstance(reply.outcome, Answer):
                yield reply, reply.outcome

    def failures(self) -> Iterator[tuple[Reply, Failure]]:
        """Yield what else was told."""
        for reply in self.replies:
            if isinstance(reply.outcome, Failure):
                yield reply, reply.outcome

    def latencies_s(self, *, since_s: float = 0.0, until_s: float = inf) -> list[float]:
        """Return how long the answered requests took that were sent in a time, shortest first."""
        ended = {reply.number: reply.at_s for reply, _ in self.answers()}
        return sorted(
            ended[sent.number] - sent.at_s
            for sent in self.sent
            if sent.number in ended and since_s <= sent.at_s < until_s
        )


def violations(history: History, truth: Truth, *, allowed: Collection[ErrorCode] = ()) -> list[str]:
    """Return each promise that a farm broke, in words; none if it kept all of them.

    Each request has exactly one final reply, within its deadline; an answer is what that model
    answers to that question; an error is one of those `allowed`.
    """
    replies: Mapping[int, list[Reply]] = defaultdict(list)
    for reply in history.replies:
        replies[reply.number].append(reply)
    known = {sent.number for sent in history.sent}
    found = [
        f"request {number} was answered and never sent" for number in replies if number not in known
    ]
    for sent in history.sent:
        found.extend(_of_request(sent, replies.get(sent.number, ()), truth, allowed))
    return found


def _of_request(
    sent: Sent, replies: Sequence[Reply], truth: Truth, allowed: Collection[ErrorCode]
) -> Iterator[str]:
    if len(replies) != 1:
        yield f"request {sent.number} had {len(replies) or 'no'} replies"
    for reply in replies:
        late_s = reply.at_s - sent.at_s - sent.timeout_s
        if late_s > _GRACE_S:
            yield f"request {sent.number} was told {late_s:.1f} s after its deadline"
        match reply.outcome:
            case Failure(code=code, message=message) if code not in allowed:
                yield f"request {sent.number} failed with {code}: {message}"
            case Answer(model_digest=digest) if (digest, sent.question) not in truth:
                yield f"request {sent.number} was answered by an unknown model, {digest}"
            case Answer(model_digest=digest, node=node, outputs=outputs):
                if outputs != truth[digest, sent.question]:
                    yield f"request {sent.number} got a wrong answer from {node}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of sorted values lies; of none it is infinite."""
    if not values:
        return inf
    return values[min(int(share * len(values)), len(values) - 1)]
