"""What the engine tells whoever keeps count of requests and batches."""

from typing import Protocol

from farm.core.errors import ErrorCode
from farm.core.models import ModelKey
from farm.core.requests import LedgerEntry, Receipt


class Observer(Protocol):
    """Called on the hot path: every method must return at once and never raise."""

    def request_finished(
        self, model: ModelKey, code: ErrorCode | None, latency_s: float, receipt: Receipt | None
    ) -> None:
        """A request that reached the scheduler got its reply; `code` is None for an answer."""
        ...

    def error_answered(self, code: ErrorCode) -> None:
        """A call was answered with an error, at whatever stage; its model may not exist."""
        ...

    def batch_settled(self, entry: LedgerEntry) -> None:
        """A batch came back, one way or another."""
        ...

    def node_ejected(self, node_id: str) -> None:
        """A node was taken out for its failures."""
        ...

    def version_retired(self, model: ModelKey) -> None:
        """A version is served no more; whoever keeps count of it may stop."""
        ...
