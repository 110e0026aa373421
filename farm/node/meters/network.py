"""Meters in the network: one GET a reading, of a device that may be anything.

Nothing is followed, no proxy and no password is used, and an answer is bounded in size and in
time from the first byte to the last.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from ssl import SSLCertVerificationError, SSLContext, create_default_context
from time import monotonic
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from farm.node.meters.json_documents import decode
from farm.node.meters.reading import Fault, Reading

_TIMEOUT_S: Final = 2.0
_MAX_BYTES: Final = 64 << 10

_REFUSALS: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "wants a password, which the farm has none of: let it answer without one",
        403: "wants a password, which the farm has none of: let it answer without one",
        404: "has nothing at that address: check its `type`, `url` and `channel`",
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask a device, behind its URL, and how to understand the JSON it answers with."""

    path: str
    parse: Callable[[object], Reading | Fault]


class _Silence(Fault):
    """Nothing answered, so that another question would not be either."""


class NetworkMeter:
    """Asks a device the question that it understands, and finds out which one that is."""

    def __init__(self, kind: str, url: str, questions: Sequence[Question]) -> None:
        self.label = f"{kind} at {url.partition('?')[0]}"
        self._url = url.rstrip("/") if questions[0].path else url
        self._questions = list(questions)
        # Reading all authorities that the system trusts takes longer than the question.
        self._trust = create_default_context() if url.startswith("https:") else None

    def read(self) -> Reading | Fault:
        faults: list[Fault] = []
        for question in tuple(self._questions):
            answer = fetch(self._url + question.path, self._trust)
            if isinstance(answer, bytes):
                document = decode(answer)
                found = document if isinstance(document, Fault) else question.parse(document.value)
                if isinstance(found, Reading):
                    self._questions.sort(key=lambda each: each is not question)
                    return found
                # Who understood the question better knows what is wrong.
                faults.insert(0, found)
            elif isinstance(answer, _Silence):
                return answer
            else:
                faults.append(answer)
        return faults[0]


def fetch(url: str, trust: SSLContext | None) -> bytes | Fault:
    """Return the body of what a URL answers; `trust` says whose certificates are good."""
    try:
        connection, target = _connection(urlsplit(url), trust)
    except ValueError:
        return Fault("has no URL that begins with http:// or https://: correct its `url`")
    try:
        connection.request(
            "GET", target, headers={"Accept": "application/json", "Connection": "close"}
        )
        with connection.getresponse() as response:
            if response.status != 200:
                return Fault(_refusal(response.status))
            body = response.read(_MAX_BYTES + 1)
    except SSLCertVerificationError:
        return Fault("has a certificate that nobody here trusts: use its http:// address")
    except TimeoutError:
        return _Silence(
            f"does not answer within {_TIMEOUT_S:g} s: check that it is on and in this network"
        )
    except socket.gaierror:
        return _Silence("has a name that is not known here: give its IP address as `url`")
    except OSError as error:
        what = error.strerror or type(error).__name__
        return _Silence(f"cannot be reached ({what}): check that it is on and its `url`")
    except (HTTPException, ValueError):
        return Fault("does not answer by HTTP: check its `url`")
    finally:
        connection.close()
    if len(body) > _MAX_BYTES:
        return Fault(f"answers with more than {_MAX_BYTES >> 10} KB: check its `url`")
    return body


def _connection(parts: SplitResult, trust: SSLContext | None) -> tuple[HTTPConnection, str]:
    """Return a connection that is not open yet, and what to ask of it.

    Raises:
        ValueError: the URL is none of HTTP.
    """
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(parts.scheme)
    connection = (
        HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        if parts.scheme == "http"
        else HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S, context=trust)
    )
    connection.response_class = _PromptResponse
    return connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return "redirects, which is not followed: give the address that it redirects to as `url`"
    return _REFUSALS.get(status, f"answers with HTTP status {status}: check its `url`")


class _PromptResponse(HTTPResponse):
    """A response that is whole in time: a timeout of the socket begins anew with every byte."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp = BufferedReader(_Received(self.fp.detach(), sock, monotonic() + _TIMEOUT_S))


class _Received(RawIOBase):
    """What comes from a socket until a moment of the monotonic clock."""

    def __init__(self, received: RawIOBase, sock: socket.socket, until: float) -> None:
        self._received = received
        self._socket = sock
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until - monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()
