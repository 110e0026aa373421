"""Requests to the slow model that come whether the farm can answer them or not, written down."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from digit_questions import answer_of
from history import Failure, History, Reply, Sent, Truth
from numpy.typing import NDArray
from recorded_load import told

from farm.client import AsyncFarmClient
from farm.core.errors import ErrorCode
from farm.repository.digests import MODEL_FILENAME, file_of, version_digest

MODEL: Final = "slow"


def question(steps: int) -> NDArray[np.int64]:
    """Return the input that makes the model take so many steps, and that it answers with."""
    return np.array([[steps]], dtype=np.int64)


def truth_of(models: Path, steps: range) -> Truth:
    """Return the right answers of the slow model in a repository."""
    content = (models / MODEL / "1" / MODEL_FILENAME).read_bytes()
    digest = version_digest([file_of(MODEL_FILENAME, content)])
    return {(digest, str(each)): answer_of(question(each)) for each in steps}


async def flood(
    address: str,
    steps: range,
    *,
    rate_per_s: float,
    duration_s: float,
    timeout_s: float,
    seed: int = 0,
) -> History:
    """Ask at the moments of a Poisson process, and return the history when all have a reply."""
    history, numbers, random = History(), count(), Random(seed)
    async with (
        AsyncFarmClient(address, retries=0) as client,
        asyncio.TaskGroup() as asking,
    ):

        async def ask() -> None:
            asked = random.choice(steps)
            sent = Sent(
                number=next(numbers),
                at_s=time.monotonic(),
                question=str(asked),
                timeout_s=timeout_s,
            )
            history.sent.append(sent)
            call = client.infer(MODEL, {"STEPS": question(asked)}, timeout_s=timeout_s)
            outcome = await told(call, "DONE")
            history.replies.append(
                Reply(number=sent.number, at_s=time.monotonic(), outcome=outcome)
            )

        due = time.monotonic()
        ends = due + duration_s
        while (due := due + random.expovariate(rate_per_s)) < ends:
            await asyncio.sleep(due - time.monotonic())
            asking.create_task(ask())
    return history


def refusals_s(history: History, *codes: ErrorCode) -> Iterator[float]:
    """Yield how long it took to refuse requests with one of these codes."""
    sent = {each.number: each.at_s for each in history.sent}
    for reply in history.replies:
        if isinstance(reply.outcome, Failure) and reply.outcome.code in codes:
            yield reply.at_s - sent[reply.number]
