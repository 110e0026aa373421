"""Mixed load on a farm: every kind of client and of call, drawn by a seed."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, suppress
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import grpc
import numpy as np
from faulty_farm import until
from soak_books import Asked, Books, Manner
from soak_questions import Inputs, Question, SoakQuestions

from farm.client import AsyncFarmClient, FarmClient, StreamAnswer
from farm.client.channel import OPTIONS, inference_methods
from farm.client.codec import to_request, to_result
from farm.client.errors import of_call
from farm.core.errors import ErrorCode, FarmError

PATIENCE_S: Final = 60.0
# Between two calls of one caller, of most and of those that only disturb.
_PAUSE_S: Final = 0.01
_LONG_PAUSE_S: Final = 0.1
_STREAMED: Final = 40
_WRONG: Final = {ErrorCode.INVALID_REQUEST, ErrorCode.MODEL_NOT_FOUND}

Caller = Callable[[Random], Coroutine[Any, Any, None]]


class MixedLoad:
    """Callers that go on until the block ends, each call of them taken down in `books`.

    `blocking` and `client` are there for the whole soak, other clients come and go.
    """

    def __init__(
        self,
        address: str,
        questions: SoakQuestions,
        books: Books,
        *,
        client: AsyncFarmClient,
        blocking: FarmClient,
        seed: int,
    ) -> None:
        self._address, self._questions, self._books = address, questions, books
        self._client, self._blocking = client, blocking
        self._seed = seed
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        callers: list[tuple[Caller, float]] = [
            *[(self._one_by_one, _PAUSE_S)] * 4,
            *[(self._by_hand, _PAUSE_S)] * 2,
            *[(self._streams, _PAUSE_S)] * 2,
            (self._thread, _PAUSE_S),
            (self._hurried, _PAUSE_S),
            (self._leaving, _LONG_PAUSE_S),
            (self._passing, _LONG_PAUSE_S),
            (self._mistaken, _LONG_PAUSE_S),
        ]
        self._tasks = [
            asyncio.create_task(self._repeat(call, pause_s, Random(f"{self._seed} {place}")))
            for place, (call, pause_s) in enumerate(callers)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        await asyncio.gather(*self._tasks)

    async def answered(self, more: int) -> None:
        """Wait for so many more answers to patient clients, with a bound."""
        wanted = self._books.answered + more

        def reached() -> bool:
            broken = [task for task in self._tasks if task.done()]
            assert not broken, broken
            return self._books.answered >= wanted

        await until(reached, f"{more} more answers", timeout_s=120)

    async def _repeat(self, call: Caller, pause_s: float, random: Random) -> None:
        while not self._ended.is_set():
            await call(random)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause_s)

    # -- the callers ------------------------------------------------------------------

    async def _one_by_one(self, random: Random) -> None:
        await self._ask(self._client, Manner.PATIENT, random, timeout_s=PATIENCE_S)

    async def _by_hand(self, random: Random) -> None:
        """Ask over a channel of gRPC's own, as other clients do."""
        question, receipt = self._questions.drawn(random), random.random() < 0.5
        method = inference_methods()["ModelInfer"]
        async with grpc.aio.insecure_channel(self._address, options=OPTIONS) as channel:
            call = channel.unary_unary(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            for _ in range(random.randint(1, 20)):
                request = to_request(question.model, question.inputs, receipt=receipt)
                with self._books.asking(
                    Manner.PATIENT, question, timeout_s=PATIENCE_S, receipt=receipt
                ) as asked:
                    try:
                        asked.answered(to_result(await call(request, timeout=PATIENCE_S)))
                    except grpc.aio.AioRpcError as failed:
                        raise of_call(failed, self._address) from failed

    async def _streams(self, random: Random) -> None:
        """Send a stream of requests, and leave one of three before it ends."""
        model = random.choice(("digits", "slow"))
        asked = [
            question
            for question in (
                self._questions.drawn(random, slow=model == "slow") for _ in range(200)
            )
            if question.model == model
        ][:_STREAMED]
        leaves_after = random.randrange(_STREAMED) if random.random() < 0.3 else None
        manner = Manner.PATIENT if leaves_after is None else Manner.LEAVING
        books = StreamBooks(self._books, manner, asked)
        try:
            answers = self._client.stream(
                model, books.inputs(), window=random.choice((1, 8, 64)), timeout_s=PATIENCE_S
            )
            async with aclosing(answers):
                async for answer in answers:
                    books.settle(answer)
                    if leaves_after is not None and answer.index >= leaves_after:
                        break
        except FarmError as error:
            books.broke(error)
        finally:
            books.close()

    async def _thread(self, random: Random) -> None:
        await asyncio.to_thread(self._blocks, random)

    def _blocks(self, random: Random) -> None:
        """Ask by the blocking client: one by one, and a short stream."""
        for _ in range(10):
            question = self._questions.drawn(random, slow=0)
            with self._books.asking(Manner.PATIENT, question, timeout_s=PATIENCE_S) as asked:
                asked.answered(
                    self._blocking.infer(question.model, question.inputs, timeout_s=PATIENCE_S)
                )
        questions = [question for question in self._questions.quick if question.model == "digits"]
        books = StreamBooks(self._books, Manner.PATIENT, random.sample(questions, 10))
        try:
            for answer in self._blocking.stream("digits", books.inputs(), timeout_s=PATIENCE_S):
                books.settle(answer)
        except FarmError as error:
            books.broke(error)
        finally:
            books.close()

    async def _hurried(self, random: Random) -> None:
        timeout_s = random.choice((0.001, 0.005, 0.02, 0.1))
        queue_timeout_s = random.choice((None, 0.001, 0.01))
        await self._ask(
            self._client,
            Manner.HURRIED,
            random,
            timeout_s=timeout_s,
            queue_timeout_s=queue_timeout_s,
            slow=0.5,
        )

    async def _leaving(self, random: Random) -> None:
        """Give calls up at any stage."""
        calls = [
            asyncio.create_task(
                self._ask(self._client, Manner.LEAVING, random, timeout_s=PATIENCE_S, slow=0.5)
            )
            for _ in range(4)
        ]
        await asyncio.sleep(random.uniform(0, 0.02))
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _passing(self, random: Random) -> None:
        """Connect, ask for a little, and close the connection."""
        async with AsyncFarmClient(self._address) as client:
            for _ in range(random.randint(0, 3)):
                await self._ask(client, Manner.PATIENT, random, timeout_s=PATIENCE_S)

    async def _mistaken(self, random: Random) -> None:
        """Ask for what is not right; be told so."""
        image = np.zeros((1, 1, 8, 8), dtype=np.float32)
        mistakes: tuple[tuple[str, Inputs], ...] = (
            (f"no-model-{random.randrange(10**9)}", {"image": image}),
            ("digits", {"image": image[0]}),
            ("digits", {"image": image.astype(np.int64)}),
            (f"digits{chr(0)}\n", {"image": image}),
            ("digits", {f"image-{random.randrange(10**9)}": image}),
            ("slow", {"STEPS": np.zeros((1, 2), dtype=np.int64)}),
        )
        model, inputs = random.choice(mistakes)
        try:
            await self._client.infer(
                model, inputs, request_id=f"{random.random()}", timeout_s=PATIENCE_S
            )
        except FarmError as error:
            self._books.acts[f"mistake {error.code}"] += 1
            if error.code not in _WRONG:
                self._books.surprises.append(f"a mistake: {error.code}: {error.message}")
        else:
            self._books.surprises.append(f"a mistake was answered: {model!r}")

    async def _ask(
        self,
        client: AsyncFarmClient,
        manner: Manner,
        random: Random,
        *,
        timeout_s: float,
        queue_timeout_s: float | None = None,
        slow: float = 0.1,
    ) -> None:
        question = self._questions.drawn(random, slow=slow)
        receipt = random.random() < 0.7
        with self._books.asking(manner, question, timeout_s=timeout_s, receipt=receipt) as asked:
            asked.answered(
                await client.infer(
                    question.model,
                    question.inputs,
                    priority=random.choice((0, 1, 2)) if question.model == "slow" else 0,
                    queue_timeout_s=queue_timeout_s,
                    receipt=receipt,
                    timeout_s=timeout_s,
                )
            )


class StreamBooks:
    """Takes the requests of one stream down as they are sent, and their answers."""

    def __init__(self, books: Books, manner: Manner, questions: Sequence[Question]) -> None:
        self._books, self._manner, self._questions = books, manner, questions
        self._sent: list[Asked] = []
        self._open: set[int] = set()

    def inputs(self) -> Iterator[Inputs]:
        for number, question in enumerate(self._questions):
            self._sent.append(self._books.sent(self._manner, question, timeout_s=PATIENCE_S))
            self._open.add(number)
            yield question.inputs

    def settle(self, answer: StreamAnswer) -> None:
        asked = self._sent[answer.index]
        if answer.result is not None:
            asked.answered(answer.result)
        elif answer.error is not None:
            asked.failed(answer.error)
        # A second answer is taken down as well, and found.
        self._open.discard(answer.index)
        asked.end()

    def broke(self, error: FarmError) -> None:
        """Take an error of the stream itself for that of all that wait."""
        for number in self._open:
            self._sent[number].failed(error)

    def close(self) -> None:
        for number in self._open:
            self._sent[number].end()
