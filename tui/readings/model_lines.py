"""What a version of a model is and does, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from farm.core.text import printable
from tui.readings import quantities
from tui.readings.reading import ModelReading

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import ModelDescription, TensorDescription

# Characters of a reason.
_LONGEST: Final = 300


def work(version: ModelReading, nodes: int) -> Iterator[str]:
    """Yield what a version does lately, on how many of so many nodes."""
    model, rates = version.model, version.rates
    yield f"ready on {len(model.ready_nodes)} of {nodes} {'node' if nodes == 1 else 'nodes'}"
    yield f"{quantities.rate(rates.requests_per_s)} requests/s"
    if rates.p50_s is not None:
        yield f"p50 {quantities.seconds(rates.p50_s)}, p95 {quantities.seconds(rates.p95_s)}"
    if rates.batch_rows is not None:
        yield f"{quantities.rate(rates.batch_rows)} rows a batch"
    yield f"{quantities.count(model.queued_requests)} in the queue"


def totals(version: ModelReading) -> Iterator[str]:
    """Yield what a version did since its gateway began, or since it was loaded."""
    model = version.model
    answers = model.requests_total - model.failures_total
    yield f"{quantities.count(model.requests_total)} requests in all"
    yield f"{quantities.count(model.failures_total)} failed"
    rows = quantities.count(model.rows_total)
    yield f"{quantities.count(model.batches_total)} batches of {rows} rows"
    if answers > 0:
        mean = quantities.seconds(model.latency_s / answers)
        yield f"{mean} from arrival to answer on average"


def batching(version: ModelReading) -> str:
    """Return how large batches may be, and who says so."""
    model = version.model
    size = f"batches of up to {model.max_batch_size}" if model.max_batch_size else "no batches"
    reason = printable(model.batching_reason, _LONGEST)
    return f"{size}: {reason}" if reason else size


def facts(described: "ModelDescription") -> Iterator[str]:
    """Yield what is known of a version's file, as far as it could be read."""
    snapshot = described.snapshot
    yield f"digest {printable(snapshot.digest[:12]) or quantities.UNKNOWN}"
    if described.size_bytes:
        yield quantities.data(described.size_bytes)
    if described.operators:
        yield f"{quantities.count(described.operators)} operators"
    if described.runtime_floor:
        yield f"needs ONNX Runtime {printable(described.runtime_floor)} or newer"
    if described.abi:
        yield f"ABI {printable(described.abi)}"
    checked = described.goldens_checked
    yield f"{checked} golden {'vector' if checked == 1 else 'vectors'} checked"
    if described.objective:
        yield f"tuned for {printable(described.objective)}"


def tensors(described: "ModelDescription") -> Iterator[str]:
    """Yield a version's inputs and outputs."""
    for kind, each in (("in ", described.inputs), ("out", described.outputs)):
        yield from (f"{kind} {_tensor(tensor)}" for tensor in each)


def _tensor(tensor: "TensorDescription") -> str:
    shape = ", ".join("any" if size < 0 else str(size) for size in tensor.shape)
    optional = ", may be left out" if tensor.optional else ""
    return f"{printable(tensor.name)} {printable(tensor.datatype)} [{shape}]{optional}"
