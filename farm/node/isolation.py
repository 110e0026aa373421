"""Runs batches that may kill whatever runs them, in a disposable child process."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Lock, Timer
from time import monotonic
from typing import Any, cast

from farm.core.actor_messages import CallHead, Timing
from farm.core.errors import (
    ErrorCode,
    ExecutionFailedError,
    FarmError,
    InternalError,
    RequestCancelledError,
    error_class,
)
from farm.node.execution import Members

_IDLE_S = 3.0
# A spare child that dies by itself must not be started again at once.
_SPARE_EVERY_S = 30.0
_PICKLE = 5

# A child answers a job twice: that it has it, and what came of it.
_ANSWERS = 2


class _NotBegunError(Exception):
    """The child ended before it took a job, so not over it; the message says how."""


@dataclass(slots=True, eq=False)
class _Attempt:
    """A job that the child does for a call, and why it was killed over it, if it was.

    A call has several: its model is opened, it is run, and each may be tried twice.
    """

    call_id: str
    verdict: FarmError | None = None


class Isolation:
    """Keeps one child and ends it when it has been idle after its work.

    `prepare` and `run` are for one thread at a time; the rest may be called by any, at any
    time. Each of the two may take `timeout_s`. What is `unwanted` is not begun: a call that
    is cancelled is put there first, and then given to `cancel`.
    """

    def __init__(self, *, timeout_s: float, unwanted: Container[str] = ()) -> None:
        self._timeout_s = timeout_s
        self._unwanted = unwanted
        # Guards the rest.
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        # What the child does now.
        self._current: _Attempt | None = None
        # When it had last done something, or was begun as a spare.
        self._idle_since = -inf
        self._used = False
        self._spare_begun = -inf

    def prepare(self, path: Path, head: CallHead, *, threads: int) -> None:
        """Start the child and open the model at `path` there: what takes long before a run.

        Raises as `run` does.
        """
        self._call(head, (str(path), threads, None, ()))

    def run(
        self, path: Path, head: CallHead, raws: Sequence[bytes], *, threads: int
    ) -> tuple[Timing, Members]:
        """Run a batch of the model at `path`, as `execution.run_call` does here.

        Raises:
            ExecutionFailedError: it killed the child, or did not finish in time.
            RequestCancelledError: it was cancelled before it ran, or while it did.
            InternalError: no child could be had.
            FarmError: whatever else the model, or this node, has against it.
        """
        timing, members = self._call(head, (str(path), threads, tuple(head), tuple(raws)))
        return timing, members

    def _attempt(self, head: CallHead, job: tuple[Any, ...]) -> tuple[Any, ...]:
        late = ExecutionFailedError(
            f"model '{head.model}' did not finish this request within {self._timeout_s:g} s, in a"
            " process of its own because a node was lost over it before; it is not run again"
        )
        attempt = _Attempt(head.call_id)
        child = self._begin(attempt)
        watch = Timer(self._timeout_s, self._kill, (attempt, late))
        watch.start()
        answers: list[Any] = []
        try:
            answers += _ask(child, job)
        finally:
            watch.cancel()
            complete = len(answers) == _ANSWERS
            self._finish(attempt, alive=complete)
        if complete and attempt.verdict is None:
            return cast(tuple[Any, ...], answers[-1])
        how = _exit(_reap(child))
        if attempt.verdict is not None:
            raise attempt.verdict
        if not answers:
            raise _NotBegunError(how)
        raise ExecutionFailedError(
            f"model '{head.model}' killed the process that ran this request ({how}), and a node"
            " before it; it is not run again. Change the request, or export the model anew"
        )

    def cancel(self, call_id: str) -> None:
        """Kill the child if it does anything for this call now."""
        with self._lock:
            attempt = self._current
        if attempt is not None and attempt.call_id == call_id:
            self._kill(attempt, RequestCancelledError("the batch was cancelled while it ran"))

    def rest(self, *, spare: bool = False) -> None:
        """End the child if it has been idle for a while; with `spare` have a fresh one at hand.

        A spare has imported all that it needs, which is most of what a suspect waits for.
        """
        now = monotonic()
        with self._lock:
            if self._current or now - self._idle_since < _IDLE_S:
                return
            child = self._child
            if child is not None and spare and not self._used and child.poll() is None:
                return
            self._child = None
            if spare and now - self._spare_begun >= _SPARE_EVERY_S:
                self._spare_begun = self._idle_since = now
                # Without memory or processes to be had there is none.
                with suppress(OSError):
                    self._child, self._used = _start(), False
        if child is not None:
            _reap(child)

    def close(self) -> None:
        """End the child, whatever it does."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            _reap(child)

    def _call(self, head: CallHead, job: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what a child answers to a job, unless that is an error."""
        try:
            what, *answer = self._attempt(head, job)
        except _NotBegunError:
            try:
                what, *answer = self._attempt(head, job)
            except _NotBegunError as error:
                raise InternalError(
                    f"the node cannot start a process for suspect requests ({error})"
                ) from error
        if what == "failed":
            code, message = answer
            raise error_class(ErrorCode(code))(message)
        return tuple(answer)

    def _begin(self, attempt: _Attempt) -> "subprocess.Popen[bytes]":
        """Return a living child, which belongs to this attempt until `_finish`."""
        with self._lock:
            # Whoever cancels it later finds the attempt that is noted below.
            if attempt.call_id in self._unwanted:
                raise RequestCancelledError("the batch was cancelled before it ran")
            if self._child is not None and self._child.poll() is not None:
                _reap(self._child)
                self._child = None
            if self._child is None:
                self._child = _start()
            self._current, self._used = attempt, True
            return self._child

    def _finish(self, attempt: _Attempt, *, alive: bool) -> None:
        with self._lock:
            self._current = None
            self._idle_since = monotonic()
            if not alive or attempt.verdict is not None:
                self._child = None

    def _kill(self, attempt: _Attempt, verdict: FarmError) -> None:
        """Kill the child over an attempt, unless that is over or it was killed already."""
        with self._lock:
            if self._child is not None and self._current is attempt and attempt.verdict is None:
                attempt.verdict = verdict
                _kill_group(self._child)


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "farm.node.disposable"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # A group of its own: whatever the model starts is killed with it.
        start_new_session=True,
    )


def _ask(child: "subprocess.Popen[bytes]", job: tuple[Any, ...]) -> Iterator[Any]:
    """Yield what a child answers to a job, until it has or is dead."""
    if child.stdin is None or child.stdout is None:  # pragma: no cover
        raise AssertionError
    with suppress(BrokenPipeError, EOFError, pickle.UnpicklingError):
        pickle.dump(job, child.stdin, _PICKLE)
        child.stdin.flush()
        for _ in range(_ANSWERS):
            yield pickle.load(child.stdout)  # noqa: S301 - from our own child


def _reap(child: "subprocess.Popen[bytes]") -> int:
    """End a child, unless it has; return its exit code, negative for a signal.

    One whose pipe is closed is beyond a signal that would change its exit code.
    """
    if child.returncode is None:
        _kill_group(child)
    code = child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            # What was not written to it any more cannot be flushed.
            with suppress(BrokenPipeError):
                pipe.close()
    return code


def _kill_group(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _exit(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
