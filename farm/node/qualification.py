"""The child process that opens a model first, so that a crash kills nothing else.

Reads one job a line as JSON from standard input, answers one line each. A model that
kills the interpreter kills this one; the parent (`qualifier.py`) sees the signal.
"""

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from farm.core.actor_messages import decode_warmup, encode_curves, encode_record
from farm.core.errors import FarmError
from farm.core.models import ModelReport
from farm.goldens import Golden, read_golden
from farm.node import probes
from farm.node.batchability import find_batching
from farm.node.child_output import own_output
from farm.node.goldens import check_golden
from farm.node.latency import measure_curve
from farm.node.memory import bound_memory, end_first
from farm.node.rows import Rows
from farm.node.sessions import Session
from farm.node.warmups import run_warmup


def qualify(job: dict[str, Any]) -> dict[str, Any]:
    """Open and try a model; return the report as JSON values.

    Raises:
        ModelUnavailableError: the model must not be served; the message says why.
    """
    session, goldens = _open(job)
    for golden in goldens:
        check_golden(session, golden)
    rows = Rows(session.inputs, goldens)
    batching = find_batching(session, rows, declared=job["max_batch_size"], joins=job["joins"])
    batched = batching.max_batch_size > 0
    for message in job["warmups"]:
        warmup = decode_warmup(message)
        run_warmup(session, warmup, Path(job["folder"]), batched=batched, count=warmup.count)
    report = ModelReport(
        inputs=session.inputs,
        outputs=session.outputs,
        max_batch_size=batching.max_batch_size,
        joins=batching.joins,
        batching_reason=batching.batching_reason,
        goldens_checked=len(goldens),
    )
    return encode_record(report)


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Time a model on a split of the node's threads; return the curve as JSON values."""
    session, goldens = _open(job)
    curve = measure_curve(
        session,
        Rows(session.inputs, goldens),
        threads=job["threads"],
        capacity=job["capacity"],
        max_rows=job["max_rows"],
        budget_s=job["budget_s"],
    )
    return encode_curves([curve] if curve is not None else [])


def main() -> None:
    answers = TextIOWrapper(own_output())
    # Before the first job, so that a child that was started early has it behind it.
    import onnxruntime  # noqa: F401

    for line in sys.stdin:
        try:
            job = json.loads(line)
            end_first()
            bound_memory(probes.memory_bytes()[1])
            answer = {"ok": True, **(measure(job) if job["do"] == "measure" else qualify(job))}
        except FarmError as error:
            answer = {"ok": False, "reason": error.message}
        except Exception as error:
            what = f"the farm's trial of the model failed ({type(error).__name__}: {error})"
            answer = {"ok": False, "reason": what}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _open(job: dict[str, Any]) -> tuple[Session, list[Golden]]:
    session = Session(Path(job["path"]), threads=job["threads"])
    return session, [read_golden(Path(path)) for path in job["goldens"]]


if __name__ == "__main__":
    main()
