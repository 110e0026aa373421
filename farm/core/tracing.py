"""What the engine tells whoever draws requests as traces."""

from typing import Protocol

from farm.core.errors import ErrorCode
from farm.core.requests import InferenceRequest, Receipt


class Tracer(Protocol):
    """Called on the hot path: it must return at once and never raise."""

    def request_ended(
        self,
        request: InferenceRequest,
        code: ErrorCode | None,
        receipt: Receipt | None,
        latency_s: float,
    ) -> None:
        """A request got its reply just now, `latency_s` after it arrived.

        `code` is None for an answer, which has a receipt.
        """
        ...
