"""Runs qualification in a child process and judges what becomes of it."""

import json
import select
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from farm.core.errors import ModelUnavailableError
from farm.core.models import LatencyCurve, ModelReport
from farm.core.tensors import Datatype, TensorSpec


class Qualifier:
    """Keeps one child for a run of models and ends it when it has been idle.

    Not for use by two threads at once.
    """

    def __init__(self, *, threads: int, timeout_s: float, curve_budget_s: float) -> None:
        self._threads = threads
        self._timeout_s = timeout_s
        self._curve_budget_s = curve_budget_s
        self._child: subprocess.Popen[str] | None = None
        self._last_used = 0.0

    def qualify(
        self, path: Path, *, goldens: list[Path], max_batch_size: int | None
    ) -> ModelReport:
        """Return the report on the model at `path`.

        Raises:
            ModelUnavailableError: it was refused, crashed the child or did not finish.
        """
        job = {
            "path": str(path),
            "threads": self._threads,
            "goldens": [str(golden) for golden in goldens],
            "max_batch_size": max_batch_size,
            "curve_budget_s": self._curve_budget_s,
        }
        answer = self._ask(json.dumps(job))
        self._last_used = monotonic()
        if not answer["ok"]:
            raise ModelUnavailableError(answer["reason"])
        return ModelReport(
            inputs=_specs(answer["inputs"]),
            outputs=_specs(answer["outputs"]),
            max_batch_size=answer["max_batch_size"],
            batching_reason=answer["batching_reason"],
            curve=_curve(answer["curve"]),
            goldens_checked=answer["goldens_checked"],
        )

    def close(self, *, idle_s: float = 0.0) -> None:
        """End the child if it has been idle for `idle_s` seconds."""
        if self._child is not None and monotonic() - self._last_used >= idle_s:
            self._end()

    def _ask(self, job: str) -> Any:
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "farm.node.qualification"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:  # pragma: no cover - both are pipes
            raise AssertionError
        try:
            stdin.write(job + "\n")
            stdin.flush()
        except BrokenPipeError:
            line = ""
        else:
            if not select.select([stdout], [], [], self._timeout_s)[0]:
                self._end()
                raise ModelUnavailableError(
                    f"the model did not finish a trial run within {self._timeout_s:g} s; it may"
                    " never return, or this node is too slow for it"
                )
            line = stdout.readline()
        if not line:
            raise ModelUnavailableError(self._cause_of_death())
        return json.loads(line)

    def _cause_of_death(self) -> str:
        child = self._child
        if child is None:
            return "the trial process is gone"
        code = child.wait()
        self._end()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return (
            f"the model killed the trial process ({how}); it is not run on this node. Try another"
            " onnxruntime version, or export the model anew"
        )

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def _specs(items: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=item["name"], datatype=Datatype(item["datatype"]), shape=tuple(item["shape"])
        )
        for item in items
    )


def _curve(points: list[list[float]] | None) -> LatencyCurve | None:
    if not points:
        return None
    return LatencyCurve(tuple((int(rows), seconds) for rows, seconds in points))
