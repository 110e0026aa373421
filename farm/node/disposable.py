"""The child process that runs suspects, so that what they kill is nothing else.

Reads pickled jobs from standard input and answers each on standard output, first that it
has it and then what came of it; the parent (`isolation.py`) sees it die. It ends when its
parent does, even in the middle of a run.
"""

import os
import pickle
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from farm.core.actor_messages import CallHead
from farm.core.errors import ErrorCode, FarmError
from farm.node import probes
from farm.node.child_output import own_output
from farm.node.execution import run_call
from farm.node.memory import bound_memory, end_first
from farm.node.sessions import Session, import_runtime

_PICKLE = 5

# (model file, threads, head or None to only open the model, bytes of each input)
Job = tuple[str, int, tuple[Any, ...] | None, tuple[bytes, ...]]


def main() -> None:
    answers = own_output()
    end_first()
    jobs: SimpleQueue[Job] = SimpleQueue()
    Thread(target=_read, args=(sys.stdin.buffer, jobs), daemon=True).start()
    # Now, for where there is no job yet. A death of it is not a job's doing.
    import_runtime()
    sessions: dict[tuple[str, int], Session] = {}
    while True:
        job = jobs.get()
        # From here on the parent takes a death for the job's doing.
        _write(answers, "begun")
        _write(answers, _answer(job, sessions))


def _write(answers: BinaryIO, answer: object) -> None:
    pickle.dump(answer, answers, _PICKLE)
    answers.flush()


def _read(stream: BinaryIO, jobs: "SimpleQueue[Job]") -> None:
    try:
        while True:
            jobs.put(pickle.load(stream))  # noqa: S301 - from our own parent
    except EOFError:
        os._exit(0)
    finally:
        # A job that it cannot take, for lack of memory perhaps: the next child begins afresh.
        os._exit(1)


def _answer(job: Job, sessions: dict[tuple[str, int], Session]) -> tuple[Any, ...]:
    """Return ("ok", timing, outputs of each member) or ("failed", code, message)."""
    path, threads, head, raws = job
    try:
        bound_memory(probes.memory_bytes()[1])
        session = sessions.get((path, threads))
        if session is None:
            # One at a time: suspects are rare, and their models may be large.
            sessions.clear()
            session = sessions[path, threads] = Session(Path(path), threads=threads)
        if head is None:
            return ("ok",)
        return ("ok", *run_call(session, CallHead(*head), raws))
    except FarmError as error:
        return ("failed", str(error.code), error.message)
    except MemoryError:
        what = "there is not enough memory on this node for the request"
        return ("failed", str(ErrorCode.EXECUTION_FAILED), what)
    except Exception as error:
        what = f"the node failed with {type(error).__name__}"
        return ("failed", str(ErrorCode.INTERNAL), what)


if __name__ == "__main__":
    main()
