"""Sends raw bytes to a farm over a few channels and judges every answer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np

from farm.client.channel import OPTIONS, inference_methods
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)

CHANNELS: Final = 4
_AT_ONCE: Final = 64
_TIMEOUT_S: Final = 60.0
_MAX_DETAILS: Final = 1_100

_ALLOWED: Final = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
# gRPC itself answers UNIMPLEMENTED; everything else is the farm's and carries its code.
_WITHOUT_CODE: Final = frozenset({grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED})

# Traces of exceptions and of the machine. No seed holds any of them.
_LEAKS: Final = (
    "Traceback",
    "<class",
    "object at 0x",
    "site-packages",
    "ONNXRuntimeError",
    "DecodeError",
    "ValueError",
    "TypeError",
    "KeyError",
    "AttributeError",
    ".py",
)

INFER: Final = inference_methods()["ModelInfer"].path
STREAM: Final = inference_methods()["ModelStreamInfer"].path


@dataclass(frozen=True, slots=True)
class Shot:
    """Bytes for a method. A `streamed` answer is read once, then the call is cancelled."""

    path: str
    raw: bytes
    streamed: bool = False


@dataclass(slots=True)
class Barrage:
    """Shots at one farm. `secrets` are texts that no message may hold, such as its folder."""

    address: str
    secrets: Sequence[str]
    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    _channels: list[grpc.aio.Channel] = field(default_factory=list)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def open(self) -> None:
        # Channels of their own connections: gRPC shares one among equal channels.
        self._channels = [
            grpc.aio.insecure_channel(
                self.address, options=(*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
            )
            for _ in range(CHANNELS)
        ]

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    async def fire(self, shots: Sequence[Shot], streamed: Sequence[bytes]) -> None:
        """Send the shots at once, and `streamed` on one stream beside them; judge the answers."""
        async with asyncio.TaskGroup() as group:
            for position, shot in enumerate(shots):
                group.create_task(self._shoot(shot, self._channels[position % CHANNELS]))
            group.create_task(self._stream(streamed))
        self.sent += len(shots) + len(streamed)

    async def check(self) -> None:
        """Send a good request; it must be answered as ever."""
        raw = await self._channels[0].unary_unary(INFER)(
            good_request().SerializeToString(), timeout=_TIMEOUT_S
        )
        answer = ModelInferResponse.FromString(raw)
        assert [o.name for o in answer.outputs] == ["OUTPUT0", "OUTPUT1"]
        assert np.frombuffer(answer.raw_output_contents[0], np.int32).tolist() == [5] * 16

    async def _shoot(self, shot: Shot, channel: grpc.aio.Channel) -> None:
        async with self._room:
            try:
                if shot.streamed:
                    call = channel.unary_stream(shot.path)(shot.raw, timeout=_TIMEOUT_S)
                    await call.read()
                    call.cancel()
                else:
                    await channel.unary_unary(shot.path)(shot.raw, timeout=_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                self._judge(shot, error)
            else:
                self.statuses["OK"] += 1

    def _judge(self, shot: Shot, error: grpc.aio.AioRpcError) -> None:
        status, details = error.code(), error.details() or ""
        self.statuses[status.name] += 1
        about = f"{shot.path} of {shot.raw.hex()}: {status.name} {details}"
        assert status in _ALLOWED, about
        code = dict(error.trailing_metadata() or ()).get("farm-error-code", "")
        assert code or status in _WITHOUT_CODE, f"no word of the farm's: {about}"
        self._judge_words(details, about)

    def _judge_words(self, details: str, about: str) -> None:
        assert len(details) <= _MAX_DETAILS, about
        for leak in (*_LEAKS, *self.secrets):
            assert leak not in details, f"{leak!r} in {about}"

    async def _stream(self, raws: Sequence[bytes]) -> None:
        call = self._channels[-1].stream_stream(STREAM)(iter(raws), timeout=_TIMEOUT_S)
        answers = [ModelStreamInferResponse.FromString(raw) async for raw in call]
        assert len(answers) == len(raws), "each message has an answer"
        for answer in answers:
            code = answer.infer_response.parameters["farm_error_code"].string_param
            self.statuses[f"stream {code or 'ok'}"] += 1
            about = f"{answer.error_message} to one of {[raw.hex() for raw in raws]}"
            assert code != "internal", about
            self._judge_words(answer.error_message, about)


def good_request() -> ModelInferRequest:
    """A request to `simple` whose first output is all fives."""
    request = ModelInferRequest(model_name="simple", id="good")
    for name, value in (("INPUT0", 2), ("INPUT1", 3)):
        request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        request.raw_input_contents.append(np.full(16, value, dtype=np.int32).tobytes())
    return request
