"""Requests of a stream that wait, while one thread sends and another one settles."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from stream_calls import answer, inputs

from farm.client.in_flight import InFlight
from farm.core.errors import UnreachableError, UnsupportedError
from farm.pb.open_inference_pb2 import ModelStreamInferResponse


class Watched(set[str]):
    """A set that something else happens to between its iterator's making and first use."""

    def __init__(self, elements: set[str], meanwhile: Callable[[], None]) -> None:
        super().__init__(elements)
        self._meanwhile = meanwhile

    def __iter__(self) -> Iterator[str]:
        found = super().__iter__()
        self._meanwhile()
        return found


def test_an_error_without_an_id_may_meet_a_sender_at_work() -> None:
    in_flight = InFlight("m", {})
    in_flight.send(inputs(0))
    sender = Thread(target=in_flight.send, args=(inputs(1),))

    def send_meanwhile() -> None:
        sender.start()
        # It has to wait until the answer is settled, so this bound is what the test takes.
        sender.join(0.2)

    in_flight._waiting = Watched(in_flight._waiting, send_meanwhile)
    assert in_flight.settle(ModelStreamInferResponse(error_message="full")).index == 0
    sender.join()
    in_flight.sent_all()
    with pytest.raises(UnreachableError, match="; 1 requests have no answer"):
        in_flight.check_complete("it")


def test_every_answer_settles_one_request() -> None:
    in_flight = InFlight("m", {})
    first, second = (in_flight.send(inputs(value)) for value in range(2))
    in_flight.sent_all()
    assert in_flight.settle(answer(second)).index == 1
    with pytest.raises(UnsupportedError, match="id '1', which no waiting request has"):
        in_flight.settle(answer(second))
    for wrong in ("", "00", "9" * 5000, "²"):
        first.id = wrong
        with pytest.raises(UnsupportedError):
            in_flight.settle(answer(first))
    assert in_flight.settle(ModelStreamInferResponse(error_message="full")).index == 0
    in_flight.check_complete("it")
