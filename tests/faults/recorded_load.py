"""Load on a farm while something is done to it, every request and reply of it written down."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from itertools import count
from random import Random
from types import TracebackType
from typing import Final, Self

from digit_questions import MODEL, Questions, answer_of
from faulty_farm import until
from history import Answer, Failure, History, Reply, Sent

from farm.client import AsyncFarmClient, InferResult
from farm.client.tls import ClientTls
from farm.core.errors import ErrorCode, FarmError

# A load is warm, and a plug may be pulled, after this many answers.
_WARM: Final = 400


class RecordedLoad:
    """Callers that each send one digit after the other, until the block ends.

    The block begins after `warm` answers and ends when every request has its reply. With
    `pause_s` a caller waits that long between two requests. Of `retries` 0, what a farm says
    is what is recorded; else what the client library says in the end. `model` has the file of
    the digits that ship.
    """

    def __init__(
        self,
        address: str,
        questions: Questions,
        *,
        callers: int,
        model: str = MODEL,
        retries: int = 0,
        timeout_s: float = 30.0,
        pause_s: float = 0.0,
        tls: ClientTls | None = None,
        seed: int = 0,
        warm: int = _WARM,
    ) -> None:
        self.history = History()
        self._questions = questions
        self._client = AsyncFarmClient(address, tls=tls, retries=retries)
        self._model = model
        self._callers, self._timeout_s, self._pause_s = callers, timeout_s, pause_s
        self._random = Random(seed)
        self._numbers = count()
        self._ended = asyncio.Event()
        self._warm = warm
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._call()) for _ in range(self._callers)]
        try:
            await self.answered(self._warm)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def answered(self, more: int) -> None:
        """Wait for so many more answers, with a bound."""
        wanted = self._answers() + more
        await until(lambda: self._answers() >= wanted, f"{more} more answers")

    def _answers(self) -> int:
        return sum(1 for _ in self.history.answers())

    async def _end(self) -> None:
        self._ended.set()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self._client.close()

    async def _call(self) -> None:
        while not self._ended.is_set():
            question = self._random.choice(list(self._questions.images))
            sent = Sent(
                number=next(self._numbers),
                at_s=time.monotonic(),
                question=question,
                timeout_s=self._timeout_s,
            )
            self.history.sent.append(sent)
            told = await self._ask(question)
            self.history.replies.append(
                Reply(number=sent.number, at_s=time.monotonic(), outcome=told)
            )
            if self._pause_s:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), self._pause_s)

    async def _ask(self, question: str) -> Answer | Failure:
        image = {"image": self._questions.images[question]}
        return await told(
            self._client.infer(self._model, image, timeout_s=self._timeout_s), "probabilities"
        )


async def told(call: Awaitable[InferResult], output: str) -> Answer | Failure:
    """Return what a client is told in the end; one of the outputs stands for all."""
    try:
        result = await call
    except FarmError as error:
        return Failure(code=error.code, message=error.message)
    except Exception as error:  # a client that breaks has no reply either
        return Failure(code=ErrorCode.INTERNAL, message=repr(error))
    return Answer(
        model_digest=result.receipt.model_digest or "",
        node=result.receipt.node or "",
        outputs=answer_of(result[output]),
    )
