"""What the clients of a soak asked for and what they were told, by what they may be told."""

import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from history import Answer, Failure, History, Reply, Sent, Truth, violations
from soak_questions import Question, named

from farm.client import InferResult
from farm.core.errors import ErrorCode, FarmError


class Manner(StrEnum):
    """How a client asks, and so what it may be told beside an answer.

    A PATIENT one has a minute and is refused only where the farm is flooded; a HURRIED one
    gives too little time now and then; a LEAVING one goes away before its answer; those of a
    FLOOD send more than can be answered.
    """

    PATIENT = "patient"
    HURRIED = "hurried"
    LEAVING = "leaving"
    FLOOD = "flood"


REFUSALS: Final = (ErrorCode.QUEUE_FULL, ErrorCode.OVERLOADED, ErrorCode.QUEUE_TIMEOUT)
LATE: Final = (*REFUSALS, ErrorCode.DEADLINE_EXCEEDED)
_ALLOWED: Final = {
    Manner.PATIENT: (),
    Manner.HURRIED: LATE,
    Manner.LEAVING: (ErrorCode.CANCELLED, ErrorCode.UNREACHABLE),
    Manner.FLOOD: LATE,
}
# What a client's own clock may be behind on cores that also run the farm and its faults.
_BUSY_S: Final = 10.0
# Where there is no receipt to tell the model's digest of, and where one was asked for in vain.
_NO_RECEIPT, _LOST_RECEIPT = "", "no receipt"


class Asked:
    """One request and what comes of it; unless that is told, its client went away."""

    def __init__(self, history: History, sent: Sent, question: Question, *, receipt: bool) -> None:
        self._history, self._sent = history, sent
        self._question, self._receipt = question, receipt
        self._outcome: Answer | Failure = Failure(
            code=ErrorCode.CANCELLED, message="its client went away"
        )

    def answered(self, result: InferResult) -> None:
        wanted = _LOST_RECEIPT if self._receipt else _NO_RECEIPT
        self._outcome = Answer(
            model_digest=result.receipt.model_digest or wanted,
            node=result.receipt.node or "",
            outputs=named(self._question.model, result),
        )

    def failed(self, error: FarmError) -> None:
        self._outcome = Failure(code=error.code, message=error.message)

    def end(self) -> None:
        """Take its end down, once."""
        self._history.replies.append(
            Reply(number=self._sent.number, at_s=time.monotonic(), outcome=self._outcome)
        )


@dataclass(slots=True)
class Books:
    """The histories of one round. Threads may share it."""

    histories: dict[Manner, History] = field(default_factory=lambda: defaultdict(History))
    # What was asked beside inference and was answered otherwise than it should be.
    surprises: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def sent(
        self, manner: Manner, question: Question, *, timeout_s: float, receipt: bool = True
    ) -> Asked:
        """Take down a request that is about to be sent."""
        sent = Sent(
            number=next(self._numbers),
            at_s=time.monotonic(),
            question=question.name,
            timeout_s=timeout_s + _BUSY_S,
        )
        history = self.histories[manner]
        history.sent.append(sent)
        return Asked(history, sent, question, receipt=receipt)

    @contextmanager
    def asking(
        self, manner: Manner, question: Question, *, timeout_s: float, receipt: bool = True
    ) -> Iterator[Asked]:
        """Take down a request that the block sends; a `FarmError` that it raises is its end."""
        asked = self.sent(manner, question, timeout_s=timeout_s, receipt=receipt)
        try:
            yield asked
        except FarmError as error:
            asked.failed(error)
        finally:
            asked.end()

    @property
    def answered(self) -> int:
        """How many answers patient clients have had."""
        return sum(1 for _ in self.histories[Manner.PATIENT].answers())

    def outcomes(self) -> Counter[str]:
        """Return how many requests were answered, and how many failed with which code."""
        return Counter(
            "answered" if isinstance(reply.outcome, Answer) else str(reply.outcome.code)
            for history in self.histories.values()
            for reply in history.replies
        )

    def violations(self, truth: Truth, *, refusals: Collection[ErrorCode] = ()) -> list[str]:
        """Return each promise that was broken; `refusals` were to be expected by all."""
        found = list(self.surprises)
        for manner, history in self.histories.items():
            allowed = (*_ALLOWED[manner], *refusals)
            found.extend(
                f"{manner}: {each}" for each in violations(history, truth, allowed=allowed)
            )
        return found
