"""One bidirectional call that carries many requests, blocking."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from threading import Event, Semaphore
from typing import Any

import grpc

from farm.client.calls import BlockingCalls
from farm.client.datatypes import AnyArray
from farm.client.errors import of_call
from farm.client.in_flight import InFlight
from farm.client.results import StreamAnswer
from farm.pb.open_inference_pb2 import ModelInferRequest


def stream_answers(
    calls: BlockingCalls,
    requests: Iterable[Mapping[str, AnyArray]],
    in_flight: InFlight,
    *,
    window: int,
    timeout_s: float | None,
) -> Generator[StreamAnswer, None, None]:
    """Send `requests` and yield their answers as they come.

    gRPC's thread iterates over `requests`, so that answers do not wait for a slow source; what
    the source raises is raised here. Closing the iterator cancels the call.
    """
    outgoing = _Outgoing(iter(requests), in_flight, window)
    call = calls.open("ModelStreamInfer", outgoing.messages(), timeout_s)
    outgoing.start(call)
    try:
        for response in call:
            answer = in_flight.settle(response)
            outgoing.answered()
            yield answer
    except grpc.RpcError as failed:
        outgoing.raise_failure()
        raise of_call(failed, calls.address) from failed
    finally:
        outgoing.stop()
        call.cancel()
    # The server may have ended the stream before it heard of the source's failure.
    outgoing.raise_failure()
    in_flight.check_complete(calls.address)


class _Outgoing:
    """The sending side: what gRPC's thread runs, and what the reading side tells it."""

    def __init__(
        self, requests: Iterator[Mapping[str, AnyArray]], in_flight: InFlight, window: int
    ) -> None:
        self._requests = requests
        self._in_flight = in_flight
        self._slots = Semaphore(window)
        self._started = Event()
        self._stopped = Event()
        self._call: Any = None
        self._failure: BaseException | None = None

    def start(self, call: Any) -> None:
        self._call = call
        self._started.set()

    def answered(self) -> None:
        self._slots.release()

    def stop(self) -> None:
        self._stopped.set()
        self._slots.release()

    def raise_failure(self) -> None:
        """Raise what the source raised, if it did, which also cancelled the call."""
        if self._failure is not None:
            raise self._failure from None

    def messages(self) -> Iterator[ModelInferRequest]:
        """Yield the requests; on an error cancel the call, for gRPC would only log it."""
        self._started.wait()
        while True:
            self._slots.acquire()
            if self._stopped.is_set():
                return
            try:
                inputs = next(self._requests)
                message = self._in_flight.send(inputs)
            except StopIteration:
                self._in_flight.sent_all()
                return
            except BaseException as error:
                self._failure = error
                self._call.cancel()
                return
            yield message
