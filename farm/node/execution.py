"""One batch through one session: bytes in, each member's bytes out."""

from collections.abc import Sequence
from time import perf_counter_ns

from farm.core.actor_messages import CallHead, Timing, WireTensor
from farm.core.errors import ExecutionFailedError
from farm.node.arrays import AnyArray, split_rows, to_array, to_wire
from farm.node.padding import cut_padding, pad_empty
from farm.node.sessions import Session

# Of one batch. Answers are copied twice on their way out, and a Pi has as much memory in all.
_MAX_OUTPUT_BYTES = 1 << 30

Members = tuple[tuple[WireTensor, ...], ...]


def run_call(session: Session, head: CallHead, raws: Sequence[bytes]) -> tuple[Timing, Members]:
    """Run a batch; return what it took and the outputs of each member.

    Raises:
        InvalidRequestError: an input is not what it should be.
        ExecutionFailedError: the model failed on it, or answered more than a node passes on.
    """
    started = perf_counter_ns()
    feeds = {
        name: to_array(name, datatype, shape, raw)
        for (name, datatype, shape), raw in zip(head.inputs, raws, strict=True)
    }
    empty = head.rows is not None and not any(head.rows)
    if empty:
        feeds = pad_empty(feeds)
    prepared = perf_counter_ns()
    outputs = session.run(head.model, feeds)
    ran = perf_counter_ns()
    _check_outputs(head.model, outputs)
    if empty:
        outputs = cut_padding(outputs)
    names = session.output_names
    members: Members
    if head.rows is None:
        members = (tuple(map(to_wire, names, outputs)),)
    else:
        members = split_rows(names, outputs, head.rows)
    return (prepared - started, ran - prepared, perf_counter_ns() - ran), members


def _check_outputs(model: str, outputs: Sequence[AnyArray]) -> None:
    size_bytes = sum(output.nbytes for output in outputs)
    if size_bytes > _MAX_OUTPUT_BYTES:
        raise ExecutionFailedError(
            f"model '{model}' answered {size_bytes} bytes, above the {_MAX_OUTPUT_BYTES} that a"
            " node passes on; send fewer rows"
        )
