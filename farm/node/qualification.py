"""The child process that opens a model first, so that a crash kills nothing else.

Reads one job a line as JSON from standard input, answers one line each. A model that
kills the interpreter kills this one; the parent (`qualifier.py`) sees the signal.
"""

import json
import sys
from pathlib import Path
from typing import Any

from farm.core.errors import FarmError
from farm.core.tensors import TensorSpec
from farm.node.batchability import find_max_batch_size
from farm.node.goldens import check_golden, read_golden
from farm.node.latency import measure_curve
from farm.node.rows import Rows
from farm.node.sessions import Session


def qualify(job: dict[str, Any]) -> dict[str, Any]:
    """Open, check and measure a model; return the report as JSON values.

    Raises:
        ModelUnavailableError: the model must not be served; the message says why.
    """
    session = Session(Path(job["path"]), threads=job["threads"])
    goldens = [read_golden(Path(path)) for path in job["goldens"]]
    for golden in goldens:
        check_golden(session, golden)
    rows = Rows(session.inputs, goldens)
    max_batch_size, reason = find_max_batch_size(session, rows, job["max_batch_size"])
    curve = measure_curve(session, rows, max_rows=max_batch_size, budget_s=job["curve_budget_s"])
    return {
        "ok": True,
        "inputs": [_spec(spec) for spec in session.inputs],
        "outputs": [_spec(spec) for spec in session.outputs],
        "max_batch_size": max_batch_size,
        "batching_reason": reason,
        "curve": curve.points if curve else None,
        "goldens_checked": len(goldens),
    }


def main() -> None:
    for line in sys.stdin:
        try:
            report = qualify(json.loads(line))
        except FarmError as error:
            report = {"ok": False, "reason": error.message}
        except Exception as error:
            what = f"the farm's trial of the model failed ({type(error).__name__}: {error})"
            report = {"ok": False, "reason": what}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}


if __name__ == "__main__":
    main()
