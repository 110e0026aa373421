"""Which requests of a stream wait for their answers."""

from collections.abc import Mapping

from farm.client.codec import RequestOptions, to_request, to_result
from farm.client.datatypes import AnyArray
from farm.client.errors import of_stream
from farm.client.results import StreamAnswer
from farm.core.errors import FarmError, InvalidRequestError, UnreachableError, UnsupportedError
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelStreamInferResponse


class InFlight:
    """Numbers the requests of one stream and finds the one that an answer is for.

    One thread may send while another one settles. `_waiting` is the only state they share.
    """

    def __init__(self, model: str, options: RequestOptions) -> None:
        self._model = model
        self._options = options
        self._next = 0
        self._waiting: set[int] = set()
        self._sent_all = False

    def send(self, inputs: Mapping[str, AnyArray]) -> ModelInferRequest:
        """Return the next request, which from now on waits for its answer.

        Raises:
            InvalidRequestError: it cannot be sent.
        """
        request = to_request(self._model, inputs, request_id=str(self._next), **self._options)
        self._waiting.add(self._next)
        self._next += 1
        return request

    def sent_all(self) -> None:
        """Note that no request follows."""
        self._sent_all = True

    def settle(self, response: ModelStreamInferResponse) -> StreamAnswer:
        """Return an answer with the number of its request.

        Raises:
            UnsupportedError: it is for no request that waits.
        """
        index = self._index(response)
        self._waiting.discard(index)
        if response.error_message:
            return StreamAnswer(index=index, error=of_stream(response))
        try:
            return StreamAnswer(index=index, result=to_result(response.infer_response))
        except FarmError as error:
            return StreamAnswer(index=index, error=error)

    def check_complete(self, address: str) -> None:
        """Check, once the server has ended the stream, that nothing is left.

        Raises:
            UnreachableError: a request was not answered, or not even sent.
        """
        if self._waiting or not self._sent_all:
            raise UnreachableError(
                f"{address} ended the stream early; {len(self._waiting)} requests have no answer"
            )

    def _index(self, response: ModelStreamInferResponse) -> int:
        given = response.infer_response.id
        if given.isdecimal() and int(given) in self._waiting:
            return int(given)
        if response.error_message and not given and len(self._waiting) == 1:
            return next(iter(self._waiting))
        raise UnsupportedError(
            f"the server sent an answer with id '{given[:32]}', which no waiting request has"
            + (f": {response.error_message}" if response.error_message else "")
        )


def check_window(window: int) -> None:
    """Check how many requests may be in flight.

    Raises:
        InvalidRequestError: it is below 1.
    """
    if window < 1:
        raise InvalidRequestError(f"window must be at least 1, not {window}")
