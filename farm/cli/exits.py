"""Exit codes, and how errors become them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from farm.core.errors import ErrorCode, FarmError


class Exit(IntEnum):
    """What the command's exit code says."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTLY_FAILED = 3
    UNREACHABLE = 4
    DENIED = 5
    INTEGRITY = 6


_BY_CODE = {
    ErrorCode.UNREACHABLE: Exit.UNREACHABLE,
    ErrorCode.PERMISSION_DENIED: Exit.DENIED,
    ErrorCode.UNAUTHENTICATED: Exit.DENIED,
    ErrorCode.INTEGRITY: Exit.INTEGRITY,
    ErrorCode.CONFIGURATION: Exit.USAGE,
}


def exit_code(error: FarmError) -> Exit:
    """Return the code of a command that ends with an error."""
    return _BY_CODE.get(error.code, Exit.FAILED)


@contextmanager
def farm_errors() -> Iterator[None]:
    """End the command with one line on stderr and the right exit code."""
    try:
        yield
    except FarmError as error:
        sys.stderr.write(f"farm: {error.message}\n")
        raise SystemExit(exit_code(error)) from error
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.stderr.write(
            f"farm: this command needs {error.name}: pip install 'bramble-farm[{extra}]'\n"
        )
        raise SystemExit(Exit.FAILED) from error


_EXTRAS = {
    "PIL": "images",
    "pyarrow": "export",
    "ray": "head",
    "grpc_health": "head",
    "grpc_reflection": "head",
    "prometheus_client": "head",
    "structlog": "head",
    "psutil": "node",
    "opentelemetry": "tracing",
    "onnxruntime": "node",
    "cryptography": "ops",
    "fabric": "ops",
    "keyring": "ops",
    "paramiko": "ops",
    "aiohttp": "tui",
    "textual": "tui",
    "textual_serve": "tui",
}
