"""How a call says whose trace it continues, and what the engine tells whoever draws traces."""

from typing import Final, Protocol

from farm.core.errors import ErrorCode
from farm.core.requests import InferenceRequest, Receipt

# Of the metadata of a call: W3C Trace Context.
TRACE_PARENT: Final = "traceparent"


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
