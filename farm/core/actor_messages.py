"""What a gateway and an actor say to each other, as plain tuples.

Tuples pickle fast and do not tie the two sides to one version of our classes. Calls,
replies and records carry a protocol number; versions N and N-1 understand each other.
Deadlines do not travel: a node is only given work that is still wanted.

Calls and replies of inference are pickled here, because Ray passes bytes on as they are
and pickles anything else with a slower pickler: 0.95 ms a call instead of 1.14 ms.
"""

import pickle
from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any, Literal

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

PROTOCOL = 1
OLDEST_PROTOCOL = 1

_PICKLE = 5

# (name, datatype, shape); the bytes travel beside it.
TensorHead = tuple[str, str, tuple[int, ...]]

# (protocol, model name, digest, rows of each member or None, inputs, call id)
CallHead = tuple[int, str, str, tuple[int, ...] | None, tuple[TensorHead, ...], str]

# (name, datatype, shape, bytes)
WireTensor = tuple[str, str, tuple[int, ...], bytes]

# ("ok", protocol, incarnation, (input, infer, output nanoseconds), outputs of each member)
OkReply = tuple[Literal["ok"], int, str, tuple[int, int, int], tuple[tuple[WireTensor, ...], ...]]
# ("failed", protocol, incarnation, code, message, retryable)
FailedReply = tuple[Literal["failed"], int, str, str, str, bool]
Reply = OkReply | FailedReply


def encode_call(batch: Batch, call_id: str) -> tuple[bytes, list[bytes]]:
    """Return a batch as a small head and one joined block of bytes an input.

    `call_id` names the call among those of all gateways, to be cancelled by.
    """
    members = batch.members
    inputs = [join(column) for column in zip(*(m.inputs for m in members), strict=True)]
    head: CallHead = (
        PROTOCOL,
        batch.model.name,
        batch.digest,
        tuple(member.rows for member in members) if batch.batched else None,
        tuple((tensor.name, str(tensor.datatype), tensor.shape) for tensor in inputs),
        call_id,
    )
    return pickle.dumps(head, _PICKLE), [tensor.raw for tensor in inputs]


def decode_call(call: bytes) -> CallHead:
    """Return the head of a call.

    Raises:
        InternalError: the gateway speaks a protocol that this side does not.
    """
    head: CallHead = pickle.loads(call)  # noqa: S301 - from the gateway, through Ray's token
    check_protocol(head[0])
    return head


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
    return ("failed", PROTOCOL, incarnation, str(error.code), error.message, retryable)


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
    _, _, incarnation, code, message, retryable = reply
    return BatchFailed(
        batch_id=batch.id,
        node_id=node_id,
        incarnation=incarnation,
        code=ErrorCode(code) if code in set(ErrorCode) else ErrorCode.INTERNAL,
        message=message,
        retryable=retryable,
    )


def encode_record(record: Any) -> dict[str, Any]:
    """Return a dataclass as nested plain values, with the protocol number."""
    return {"protocol": PROTOCOL, **asdict(record, dict_factory=_plain)}


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


def encode_curve(curve: LatencyCurve | None) -> dict[str, Any]:
    """Return a measured curve, or that there is none, as plain values."""
    return {"protocol": PROTOCOL, "points": None if curve is None else curve.points}


def decode_curve(message: Mapping[str, Any]) -> LatencyCurve | None:
    """Return the curve that a node measured, or None where it has none."""
    check_protocol(message.get("protocol", PROTOCOL))
    points = message.get("points")
    return LatencyCurve(tuple((rows, seconds) for rows, seconds in points)) if points else None


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
    check_protocol(values.get("protocol", PROTOCOL))
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}
