"""What a gateway and an actor say to each other, as plain tuples.

Tuples pickle fast and do not tie the two sides to one version of our classes. Each
message carries the number of the oldest protocol that understands it, so versions N and
N-1 work together for as long as nothing new is asked of the older one. Deadlines do not
travel: a node is only given work that is still wanted.

Calls and replies of inference are pickled here, because Ray passes bytes on as they are
and pickles anything else with a slower pickler: 0.95 ms a call instead of 1.14 ms.
"""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from farm.core.errors import ErrorCode, FarmError, InternalError
from farm.core.models import (
    LatencyCurve,
    ModelArtifact,
    ModelFile,
    ModelKey,
    ModelReport,
    Warmup,
    WarmupData,
    WarmupInput,
)
from farm.core.nodes import NodeProfile, NodeVitals
from farm.core.requests import Batch, BatchCompleted, BatchFailed, BatchTiming
from farm.core.tensors import Datatype, Tensor, TensorSpec, join

PROTOCOL = 2
OLDEST_PROTOCOL = 1

# The first protocol whose calls choose threads and isolation.
_CHOOSING = 2

_PICKLE = 5

# (name, datatype, shape); the bytes travel beside it.
TensorHead = tuple[str, str, tuple[int, ...]]


class CallHead(NamedTuple):
    """What a call says beside its tensors' bytes; it travels as a plain tuple.

    `rows` are those of each member, None where axis 0 does not count rows. `call_id` names
    the call among those of all gateways. `threads` and `isolated` are the batch's.
    """

    protocol: int
    model: str
    digest: str
    rows: tuple[int, ...] | None
    inputs: tuple[TensorHead, ...]
    call_id: str
    threads: int = 0
    isolated: bool = False


# (name, datatype, shape, bytes)
WireTensor = tuple[str, str, tuple[int, ...], bytes]

# Nanoseconds for input, inference and output.
Timing = tuple[int, int, int]

# ("ok", protocol, incarnation, timing, outputs of each member)
OkReply = tuple[Literal["ok"], int, str, Timing, tuple[tuple[WireTensor, ...], ...]]
# ("failed", protocol, incarnation, code, message, retryable)
FailedReply = tuple[Literal["failed"], int, str, str, str, bool]
Reply = OkReply | FailedReply


def encode_call(batch: Batch, call_id: str) -> tuple[bytes, list[bytes]]:
    """Return a batch as a small head and one joined block of bytes an input.

    `call_id` names the call among those of all gateways, to be cancelled by.
    """
    members = batch.members
    inputs = [join(column) for column in zip(*(m.inputs for m in members), strict=True)]
    choices = (batch.threads, batch.isolated) if batch.threads or batch.isolated else ()
    head = (
        _CHOOSING if choices else OLDEST_PROTOCOL,
        batch.model.name,
        batch.digest,
        tuple(member.rows for member in members) if batch.batched else None,
        tuple((tensor.name, str(tensor.datatype), tensor.shape) for tensor in inputs),
        call_id,
        *choices,
    )
    return pickle.dumps(head, _PICKLE), [tensor.raw for tensor in inputs]


def decode_call(call: bytes) -> CallHead:
    """Return the head of a call.

    Raises:
        InternalError: the gateway speaks a protocol that this side does not.
    """
    head = pickle.loads(call)  # noqa: S301 - from the gateway, through Ray's token
    check_protocol(head[0])
    return CallHead(*head)


def encode_reply(reply: Reply) -> bytes:
    """Return a reply as bytes."""
    return pickle.dumps(reply, _PICKLE)


def check_protocol(number: int) -> None:
    """Raise `InternalError` unless this side understands protocol `number`."""
    if not OLDEST_PROTOCOL <= number <= PROTOCOL:
        raise InternalError(
            f"the other side speaks actor protocol {number}, this one {OLDEST_PROTOCOL} to"
            f" {PROTOCOL}; upgrade the older of gateway and node"
        )


def encode_failure(incarnation: str, error: FarmError, *, retryable: bool) -> FailedReply:
    """Return an error as a reply."""
    return ("failed", OLDEST_PROTOCOL, incarnation, str(error.code), error.message, retryable)


def encode_success(
    incarnation: str, timing: Timing, members: tuple[tuple[WireTensor, ...], ...]
) -> OkReply:
    """Return the outputs of each member as a reply."""
    return ("ok", OLDEST_PROTOCOL, incarnation, timing, members)


def decode_reply(batch: Batch, node_id: str, raw: bytes) -> BatchCompleted | BatchFailed:
    """Return a reply as an outcome of `batch`."""
    reply = pickle.loads(raw)  # noqa: S301 - from our own actor, through Ray's token
    check_protocol(reply[1])
    if reply[0] == "ok":
        _, _, incarnation, (input_ns, infer_ns, output_ns), members = reply
        return BatchCompleted(
            batch_id=batch.id,
            node_id=node_id,
            incarnation=incarnation,
            outputs=tuple(
                tuple(
                    Tensor(name=name, datatype=Datatype(datatype), shape=shape, raw=raw)
                    for name, datatype, shape, raw in tensors
                )
                for tensors in members
            ),
            timing=BatchTiming(input_ns=input_ns, infer_ns=infer_ns, output_ns=output_ns),
        )
    _, _, incarnation, name, message, retryable = reply
    code = ErrorCode(name) if name in set(ErrorCode) else ErrorCode.INTERNAL
    return BatchFailed(
        batch_id=batch.id,
        node_id=node_id,
        incarnation=incarnation,
        code=code,
        message=message,
        # Older nodes blame the request for a protocol that they do not speak.
        retryable=retryable or code is ErrorCode.INTERNAL,
    )


def encode_record(record: Any) -> dict[str, Any]:
    """Return a dataclass as nested plain values, with the protocol number."""
    return {"protocol": OLDEST_PROTOCOL, **asdict(record, dict_factory=_plain)}


def decode_profile(message: Mapping[str, Any]) -> NodeProfile:
    """Return a node's description; fields a newer node added are ignored."""
    return NodeProfile(**_known(NodeProfile, message))


def decode_vitals(message: Mapping[str, Any]) -> NodeVitals:
    """Return a heartbeat; fields a newer node added are ignored."""
    return NodeVitals(**_known(NodeVitals, message))


def decode_artifact(message: Mapping[str, Any]) -> ModelArtifact:
    """Return what the gateway asks a node to load."""
    known = _known(ModelArtifact, message)
    known["key"] = ModelKey(**_known(ModelKey, known["key"]))
    for name in ("files", "goldens"):
        known[name] = tuple(map(_file, known.get(name, ())))
    known["warmups"] = tuple(map(decode_warmup, known.get("warmups", ())))
    return ModelArtifact(**known)


def decode_warmup(message: Mapping[str, Any]) -> Warmup:
    """Return a request that a node is to try a model with."""
    known = _known(Warmup, message)
    known["inputs"] = tuple(map(_warmup_input, known["inputs"]))
    return Warmup(**known)


def decode_report(message: Mapping[str, Any]) -> ModelReport:
    """Return what a node found out about a model."""
    known = _known(ModelReport, message)
    for name in ("inputs", "outputs"):
        known[name] = tuple(map(decode_spec, known[name]))
    return ModelReport(**known)


def decode_spec(message: Mapping[str, Any]) -> TensorSpec:
    """Return one tensor of a report."""
    known = _known(TensorSpec, message)
    known["datatype"] = Datatype(known["datatype"])
    for name in ("shape", "model_shape"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    return TensorSpec(**known)


def encode_curves(curves: Sequence[LatencyCurve]) -> dict[str, Any]:
    """Return the curves that were measured of a model as plain values."""
    return {
        "protocol": OLDEST_PROTOCOL,
        # All that protocol 1 knows of: the curve of the default split, the one it asks for.
        "points": curves[0].points if curves else None,
        "curves": [(curve.threads, curve.points) for curve in curves],
    }


def decode_curves(message: Mapping[str, Any]) -> tuple[LatencyCurve, ...]:
    """Return the curves that a node measured, none where it could not."""
    check_protocol(message.get("protocol", OLDEST_PROTOCOL))
    points = message.get("points")
    curves = message.get("curves", [(0, points)] if points else [])
    return tuple(
        LatencyCurve(tuple((rows, seconds) for rows, seconds in points), threads)
        for threads, points in curves
    )


def _file(message: Mapping[str, Any]) -> ModelFile:
    return ModelFile(**_known(ModelFile, message))


def _warmup_input(message: Mapping[str, Any]) -> WarmupInput:
    known = _known(WarmupInput, message)
    known["datatype"] = Datatype(known["datatype"])
    known["shape"] = tuple(known["shape"])
    known["data"] = WarmupData(known["data"])
    if known.get("file") is not None:
        known["file"] = _file(known["file"])
    return WarmupInput(**known)


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a dataclass with enumerations as the words they stand for."""
    return {name: str(v) if isinstance(v, StrEnum) else v for name, v in items}


def _known(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    check_protocol(values.get("protocol", OLDEST_PROTOCOL))
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}
