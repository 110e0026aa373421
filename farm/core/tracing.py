"""How a call says whose trace it continues, and what the engine tells whoever draws traces."""

from typing import Final, Protocol

from farm.core.errors import ErrorCode
from farm.core.requests import BatchFailed, InferenceRequest, Receipt

# Of the metadata of a call: W3C Trace Context.
TRACE_PARENT: Final = "traceparent"


class Tracer(Protocol):
    """Called on the hot path: it must return at once and never raise."""

    def attempt_failed(
        self, request: InferenceRequest, failed: BatchFailed, *, began_at: float, ended_at: float
    ) -> None:
        """A batch gave no answer to a request that waits for one; times on the engine's clock.

        Sooner or later that request is told to have ended.
        """
        ...

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
