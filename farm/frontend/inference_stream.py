"""One `ModelStreamInfer` call: many requests in flight on one stream.

Answers are matched by id and come in the order in which they are done. An error belongs to
its request and stands in `error_message`; the stream lives on. A client that ends its half
gets every answer that is still due.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from farm.core.errors import FarmError
from farm.frontend.failures import bounded_message
from farm.frontend.unread import UnreadAnswers
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)

# Requests of one stream that may be in flight, or answered and not yet written. Beyond them,
# or where answers that wait and are due may come to this many bytes, the stream is not read,
# and gRPC's flow control holds the client back.
MAX_IN_FLIGHT = 512
MAX_UNREAD_BYTES = 32 << 20
# As many are taken before the first answer has shown how large answers are.
_FIRST_REQUESTS = 16

FINAL_RESPONSE = "triton_final_response"
_WANTS_FINAL = "triton_enable_empty_final_response"

Answerer = Callable[[ModelInferRequest], Awaitable[ModelInferResponse]]


class InferenceStream:
    """Reads requests, runs each in a task of its own, hands out answers.

    `judge` turns an exception into the farm's own error, and counts it. What the stream owes
    its client is counted in `unread`, the room that all streams share.
    """

    def __init__(
        self,
        answer: Answerer,
        *,
        judge: Callable[[Exception], FarmError],
        client: str,
        unread: UnreadAnswers,
    ) -> None:
        self._answer = answer
        self._judge = judge
        self._client = client
        self._unread = unread
        # What of this stream is counted there: nothing once the client has left.
        self._counted_bytes = 0
        self._left = False
        # Answers that are not yet written, each with the bytes of its tensors.
        self._done: deque[tuple[ModelStreamInferResponse, int]] = deque()
        self._unread_bytes = 0
        # The largest answer so far: what each request in flight may come to. None before.
        self._answer_bytes: int | None = None
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None

    def finish(self) -> None:
        """Read no more; the stream ends when what was read is answered."""
        if self._reading is not None:
            self._reading.cancel()

    async def responses(
        self, requests: AsyncIterator[ModelInferRequest | FarmError]
    ) -> AsyncIterator[ModelStreamInferResponse]:
        """Yield an answer for each request; one that could not be read comes as its error."""
        reading = asyncio.create_task(self._read(requests), name="read a stream")
        reading.add_done_callback(lambda _: self._news.set())
        self._reading = reading
        try:
            while True:
                self._news.clear()
                while self._done:
                    response, size_bytes = self._done.popleft()
                    yield response
                    self._unread_bytes -= size_bytes
                    self._count()
                    self._moved.set()
                if reading.done() and not self._tasks:
                    if not reading.cancelled():
                        reading.result()
                    return
                await self._news.wait()
        finally:
            for task in (reading, *self._tasks):
                task.cancel()
            try:
                await asyncio.gather(reading, *self._tasks, return_exceptions=True)
            finally:
                self._left = True
                self._count()

    async def _read(self, requests: AsyncIterator[ModelInferRequest | FarmError]) -> None:
        async for request in requests:
            while not self._has_room():
                self._moved.clear()
                await self._moved.wait()
            task = asyncio.create_task(self._run(request))
            self._tasks.add(task)
            self._count()
            task.add_done_callback(self._ended)

    def _has_room(self) -> bool:
        """Whether one more answer may be due; one always may."""
        due = len(self._tasks)
        if self._answer_bytes is None:
            return not due or (due < _FIRST_REQUESTS and self._unread.has_room(self._client, 0))
        if due + len(self._done) >= MAX_IN_FLIGHT:
            return False
        owed_bytes = self._owed_bytes()
        return not owed_bytes or (
            owed_bytes + self._answer_bytes <= MAX_UNREAD_BYTES
            and self._unread.has_room(self._client, self._answer_bytes)
        )

    def _owed_bytes(self) -> int:
        """Return what is unread, and what the requests in flight may come to."""
        return self._unread_bytes + len(self._tasks) * (self._answer_bytes or 0)

    def _count(self) -> None:
        owed_bytes = 0 if self._left else self._owed_bytes()
        self._unread.change(self._client, owed_bytes - self._counted_bytes)
        self._counted_bytes = owed_bytes

    async def _run(self, request: ModelInferRequest | FarmError) -> None:
        if isinstance(request, FarmError):
            self._add(_failure(ModelInferRequest(), self._judge(request)))
            return
        try:
            answer = await self._answer(request)
        except Exception as error:
            self._add(_failure(request, self._judge(error)))
            return
        if _WANTS_FINAL in request.parameters and request.parameters[_WANTS_FINAL].bool_param:
            answer.parameters[FINAL_RESPONSE].bool_param = True
        self._add(ModelStreamInferResponse(infer_response=answer))

    def _add(self, response: ModelStreamInferResponse) -> None:
        size_bytes = _size_bytes(response)
        self._unread_bytes += size_bytes
        self._answer_bytes = max(self._answer_bytes or 0, size_bytes)
        self._done.append((response, size_bytes))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._count()
        self._news.set()
        self._moved.set()


def _size_bytes(response: ModelStreamInferResponse) -> int:
    return sum(len(raw) for raw in response.infer_response.raw_output_contents)


def _failure(request: ModelInferRequest, error: FarmError) -> ModelStreamInferResponse:
    """Return an error as a stream has it, with its code for clients that know ours."""
    answer = ModelInferResponse(
        model_name=request.model_name, model_version=request.model_version, id=request.id
    )
    answer.parameters["farm_error_code"].string_param = error.code
    if error.retry_after_s is not None:
        answer.parameters["farm_retry_after_ms"].int64_param = round(error.retry_after_s * 1000)
    return ModelStreamInferResponse(error_message=bounded_message(error), infer_response=answer)
