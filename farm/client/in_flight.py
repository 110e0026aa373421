"""Which requests of a stream wait for their answers."""

from collections.abc import Mapping
from threading import Lock

from farm.client.codec import RequestOptions, to_request, to_result
from farm.client.datatypes import AnyArray
from farm.client.errors import of_stream
from farm.client.results import StreamAnswer
from farm.core.errors import FarmError, InvalidRequestError, UnreachableError, UnsupportedError
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelStreamInferResponse


class InFlight:
    """Numbers the requests of one stream and finds the one that an answer is for.

    One thread may send while another one settles; the lock guards what they share.
    """

    def __init__(self, model: str, options: RequestOptions) -> None:
        self._model = model
        self._options = options
        self._next = 0
        self._lock = Lock()
        self._waiting: set[str] = set()
        self._sent_all = False

    def send(self, inputs: Mapping[str, AnyArray]) -> ModelInferRequest:
        """Return the next request, which from now on waits for its answer.

        Raises:
            InvalidRequestError: it cannot be sent.
        """
        request = to_request(self._model, inputs, request_id=str(self._next), **self._options)
        with self._lock:
            self._waiting.add(request.id)
        self._next += 1
        return request

    def sent_all(self) -> None:
        """Note that no request follows."""
        with self._lock:
            self._sent_all = True

    def settle(self, response: ModelStreamInferResponse) -> StreamAnswer:
        """Return an answer with the number of its request.

        Raises:
            UnsupportedError: it is for no request that waits.
        """
        with self._lock:
            request_id = self._request_id(response)
            self._waiting.remove(request_id)
        index = int(request_id)
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
        with self._lock:
            unanswered, complete = len(self._waiting), self._sent_all and not self._waiting
        if not complete:
            raise UnreachableError(
                f"{address} ended the stream early; {unanswered} requests have no answer"
            )

    def _request_id(self, response: ModelStreamInferResponse) -> str:
        """Return which request an answer is for; the caller holds the lock."""
        given = response.infer_response.id
        if given in self._waiting:
            return given
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
