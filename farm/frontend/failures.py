"""What a caller is told of an exception: the farm's own errors as they are, nothing of others."""

from secrets import token_hex

import grpc
import structlog

from farm.core.errors import FarmError, InternalError

_log = structlog.get_logger()

# Messages name what the client sent, and gRPC bounds its trailers at 8 kB.
_MAX_MESSAGE = 1_000


def as_farm_error(method: str, error: Exception) -> FarmError:
    """Return the farm's own error. What nobody foresaw goes to the log, not out."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, FarmError):
        return error
    reference = token_hex(4)
    _log.error("unexpected_exception", method=method, reference=reference, exc_info=error)
    return InternalError(
        f"the gateway failed on this request; its log has the details under {reference}"
    )


def bounded_message(error: FarmError) -> str:
    """Return an error's message as long as it may be."""
    return error.message[:_MAX_MESSAGE]
