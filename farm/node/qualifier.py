"""Runs qualification in a child process and judges what becomes of it."""

import json
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from farm.core.actor_messages import decode_curves, decode_report, encode_record
from farm.core.errors import ModelUnavailableError
from farm.core.models import LatencyCurve, ModelReport, Warmup

# Whatever a model leaves behind in the child's memory goes with the child.
_JOBS_PER_CHILD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A model's main file, and what to try it with. `folder` holds the warm-ups' files."""

    path: Path
    folder: Path
    goldens: tuple[Path, ...] = ()
    warmups: Sequence[Warmup] = ()


class _ChildKilledError(ModelUnavailableError):
    """The child got a SIGKILL, which no model sends."""


class Qualifier:
    """Keeps one child for a run of models and ends it when it has been idle.

    Not for use by two threads at once.
    """

    def __init__(self, *, threads: int, timeout_s: float, curve_budget_s: float) -> None:
        self._threads = threads
        self._timeout_s = timeout_s
        self._curve_budget_s = curve_budget_s
        self._child: subprocess.Popen[str] | None = None
        self._jobs = 0
        self._last_used = 0.0

    def start(self) -> None:
        """Begin to start the child, so that the first model need not wait for it."""
        if self._child is not None and (
            self._child.poll() is not None or self._jobs >= _JOBS_PER_CHILD
        ):
            self._end()
        if self._child is None:
            self._jobs = 0
            self._last_used = monotonic()
            self._child = subprocess.Popen(
                [sys.executable, "-m", "farm.node.qualification"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )

    def qualify(
        self, trial: Trial, *, max_batch_size: int | None, joins: bool = False
    ) -> ModelReport:
        """Return the report on a model; for `joins` see `batchability.find_batching`.

        Raises:
            ModelUnavailableError: it was refused, crashed the child or did not finish.
        """
        warmups = [encode_record(warmup) for warmup in trial.warmups]
        return decode_report(
            self._ask("qualify", trial, max_batch_size=max_batch_size, joins=joins, warmups=warmups)
        )

    def measure(
        self, trial: Trial, *, max_rows: int, threads: int, capacity: int
    ) -> LatencyCurve | None:
        """Return a model's latency curve on a split, None where sample rows do not run on it.

        See `latency.measure_curve`.

        Raises:
            ModelUnavailableError: it crashed the child or did not finish.
        """
        curves = decode_curves(
            self._ask(
                "measure",
                trial,
                threads=threads,
                max_rows=max_rows,
                capacity=capacity,
                budget_s=self._curve_budget_s,
            )
        )
        return curves[0] if curves else None

    def close(self, *, idle_s: float = 0.0) -> bool:
        """End the child if it has been idle for `idle_s` seconds; return whether it was ended."""
        if self._child is None or monotonic() - self._last_used < idle_s:
            return False
        self._end()
        return True

    def _ask(self, what: str, trial: Trial, **more: Any) -> dict[str, Any]:
        job = {
            "do": what,
            "path": str(trial.path),
            "folder": str(trial.folder),
            "threads": self._threads,
            "goldens": [str(golden) for golden in trial.goldens],
            **more,
        }
        try:
            answer: dict[str, Any] = self._answer(json.dumps(job))
        except _ChildKilledError:
            # By somebody else, perhaps the kernel for lack of memory, and perhaps not because
            # of this model: once more, in a fresh child.
            answer = self._answer(json.dumps(job))
        self._last_used = monotonic()
        if not answer["ok"]:
            raise ModelUnavailableError(answer["reason"])
        return answer

    def _answer(self, job: str) -> Any:
        self.start()
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:  # pragma: no cover
            raise AssertionError
        self._jobs += 1
        try:
            child.stdin.write(job + "\n")
            child.stdin.flush()
        except BrokenPipeError:
            line = ""
        else:
            if not select.select([child.stdout], [], [], self._timeout_s)[0]:
                self._end()
                raise ModelUnavailableError(
                    f"the model did not finish a trial run within {self._timeout_s:g} s; it may"
                    " never return, or this node is too slow for it"
                )
            line = child.stdout.readline()
        if not line.endswith("\n"):
            code = child.wait()
            self._end()
            raise _obituary(code)
        return json.loads(line)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def _obituary(code: int) -> ModelUnavailableError:
    """Return the error of a model whose trial ended with an exit code, or by a signal."""
    if code == -signal.SIGKILL:
        return _ChildKilledError(
            "the trial process was killed (SIGKILL), perhaps for lack of memory on this node; free"
            " some, and load the model again"
        )
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return ModelUnavailableError(
        f"the model killed the trial process ({how}); it is not run on this node. Try another"
        " onnxruntime version, or export the model anew"
    )
