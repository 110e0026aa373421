"""What gateway and node say to each other survives the way, and a newer peer's additions."""

import pickle
from dataclasses import replace
from typing import Any

import pytest

from farm.core.actor_messages import (
    OLDEST_PROTOCOL,
    PROTOCOL,
    CallHead,
    check_protocol,
    decode_artifact,
    decode_call,
    decode_curves,
    decode_profile,
    decode_reply,
    decode_report,
    decode_vitals,
    encode_call,
    encode_curves,
    encode_failure,
    encode_record,
    encode_reply,
)
from farm.core.errors import ErrorCode, InternalError, ModelUnavailableError
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
from farm.core.requests import (
    Batch,
    BatchCompleted,
    BatchFailed,
    BatchTiming,
    InferenceRequest,
)
from farm.core.tensors import Datatype, Tensor, TensorSpec

PROFILE = NodeProfile(
    node_id="pi", incarnation="abc", slots=2, threads_per_slot=3, lookahead=4, host="h", pid=5,
    board="Raspberry Pi 5", cpu_class="cortex-a76", architecture="aarch64", cores=4,
    runtime_version="1.31.1",
)  # fmt: skip
VITALS = NodeVitals(
    incarnation="abc", slots_busy=1, cpu_fraction=0.5, memory_total_bytes=8,
    memory_available_bytes=4, temperature_c=None, clock_hz=2.4e9,
    batches_total=3, rows_total=9, failures_total=1, digests=("d1", "d2"),
)  # fmt: skip
ARTIFACT = ModelArtifact(
    key=ModelKey("digits", 3), digest="d",
    files=(ModelFile(path="model.onnx", sha256="f", size_bytes=10),),
    goldens=(ModelFile(path="golden/any/g.npz", sha256="g", size_bytes=20),),
    warmups=(
        Warmup(
            name="w", batch_size=4, count=2,
            inputs=(
                WarmupInput(name="x", datatype=Datatype.FP32, shape=(3,), data=WarmupData.RANDOM),
                WarmupInput(
                    name="z", datatype=Datatype.BYTES, shape=(), data=WarmupData.FILE,
                    file=ModelFile(path="warmup/z", sha256="w", size_bytes=30),
                ),
            ),
        ),
    ),
    max_batch_size=8, main="graph.onnx",
)  # fmt: skip
REPORT = ModelReport(
    inputs=(
        TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 3)),
        TensorSpec(name="z", datatype=Datatype.FP32, shape=(3,), optional=True),
    ),
    outputs=(TensorSpec(name="y", datatype=Datatype.BYTES, shape=(-1,)),),
    max_batch_size=64, joins=False, batching_reason="tried", goldens_checked=1,
)  # fmt: skip

RECORDS = [
    pytest.param(PROFILE, decode_profile, id="profile"),
    pytest.param(VITALS, decode_vitals, id="vitals"),
    pytest.param(ARTIFACT, decode_artifact, id="artifact"),
    pytest.param(REPORT, decode_report, id="report"),
]


def request(id_: int, rows: int, raw: bytes) -> InferenceRequest:
    tensor = Tensor(name="x", datatype=Datatype.UINT8, shape=(rows, 2), raw=raw)
    return InferenceRequest(
        id=id_, model=ModelKey("m", 1), inputs=(tensor,), rows=rows, arrived_at=0.0
    )


def batch(*members: InferenceRequest, batched: bool = True) -> Batch:
    return Batch(
        id=7, model=ModelKey("m", 1), digest="d", members=members,
        rows=sum(m.rows for m in members), batched=batched, formed_at=0.0, trigger="free_slot",
    )  # fmt: skip


@pytest.mark.parametrize(("record", "decode"), RECORDS)
def test_a_record_comes_back_whole(record: Any, decode: Any) -> None:
    assert decode(pickle.loads(pickle.dumps(encode_record(record)))) == record  # noqa: S301


@pytest.mark.parametrize(("record", "decode"), RECORDS)
def test_what_a_newer_peer_added_is_ignored(record: Any, decode: Any) -> None:
    message = encode_record(record) | {"added_later": object()}
    for name in ("files", "goldens"):
        message |= {name: [f | {"added": 1} for f in message[name]]} if name in message else {}
    assert decode(message) == record


@pytest.mark.parametrize(("record", "decode"), RECORDS)
def test_a_protocol_that_is_too_new_is_refused(record: Any, decode: Any) -> None:
    with pytest.raises(InternalError, match=f"protocol {PROTOCOL + 1}.*upgrade the older"):
        decode(encode_record(record) | {"protocol": PROTOCOL + 1})


def test_an_older_node_without_later_fields_gets_their_defaults() -> None:
    assert decode_profile({"node_id": "pi", "incarnation": "abc"}) == NodeProfile(
        node_id="pi", incarnation="abc"
    )


def test_an_artifact_of_an_older_gateway_has_no_warmups_and_the_usual_main_file() -> None:
    message = encode_record(ARTIFACT)
    for later in ("warmups", "main"):
        del message[later]
    decoded = decode_artifact(message)
    assert (decoded.warmups, decoded.main) == ((), "model.onnx")


def test_the_curve_in_an_older_nodes_report_is_passed_over() -> None:
    assert decode_report(encode_record(REPORT) | {"curve": {"points": [(1, 0.5)]}}) == REPORT


@pytest.mark.parametrize("record", [PROFILE, VITALS, ARTIFACT, REPORT])
def test_no_record_names_a_class_of_ours(record: Any) -> None:
    assert b"farm" not in pickle.dumps(encode_record(record))


@pytest.mark.parametrize(
    "curves",
    [
        (),
        (LatencyCurve(((1, 0.5), (2, 0.75)), 4), LatencyCurve(((1, 0.9),), 1)),
    ],
)
def test_curves_come_back_whole(curves: tuple[LatencyCurve, ...]) -> None:
    message = pickle.dumps(encode_curves(curves))
    assert b"farm" not in message
    assert decode_curves(pickle.loads(message)) == curves  # noqa: S301


def test_the_one_curve_of_an_older_node_is_that_of_its_default_threads() -> None:
    message = {"protocol": OLDEST_PROTOCOL, "points": ((1, 0.5), (2, 0.75))}
    assert decode_curves(message) == (LatencyCurve(((1, 0.5), (2, 0.75)), 0),)
    assert decode_curves(message | {"points": None}) == ()


def test_an_older_gateway_reads_the_curve_of_the_default_threads() -> None:
    curves = (LatencyCurve(((1, 0.5),), 2), LatencyCurve(((1, 0.9),), 1))
    assert encode_curves(curves)["points"] == ((1, 0.5),)


def test_curves_of_a_foreign_protocol_are_refused() -> None:
    with pytest.raises(InternalError, match="upgrade the older"):
        decode_curves(encode_curves(()) | {"protocol": PROTOCOL + 1})


@pytest.mark.parametrize("number", [0, PROTOCOL + 1])
def test_foreign_protocols_are_refused(number: int) -> None:
    check_protocol(PROTOCOL)
    with pytest.raises(InternalError, match=f"protocol {number}"):
        check_protocol(number)


def test_a_batch_travels_as_one_block_an_input() -> None:
    call, raws = encode_call(batch(request(1, 1, b"ab"), request(2, 2, b"cdef")), "g-1")
    head = decode_call(call)
    assert head[1:6] == ("m", "d", (1, 2), (("x", "UINT8", (3, 2)),), "g-1")
    assert raws == [b"abcdef"]


def test_a_request_without_a_batch_axis_travels_as_it_is() -> None:
    call, raws = encode_call(batch(request(1, 2, b"abcd"), batched=False), "g-1")
    head = decode_call(call)
    assert head[1:6] == ("m", "d", None, (("x", "UINT8", (2, 2)),), "g-1")
    assert raws == [b"abcd"]


def test_a_call_that_asks_nothing_new_is_one_of_the_protocol_before() -> None:
    call, _ = encode_call(batch(request(1, 1, b"ab")), "g-1")
    head = pickle.loads(call)  # noqa: S301
    assert (head[0], len(head)) == (OLDEST_PROTOCOL, 6)
    assert decode_call(call) == CallHead(*head, threads=0, isolated=False)


@pytest.mark.parametrize(("threads", "isolated"), [(4, False), (0, True), (2, True)])
def test_a_call_carries_its_threads_and_whether_it_is_isolated(
    threads: int, isolated: bool
) -> None:
    asked = replace(batch(request(1, 1, b"ab")), threads=threads, isolated=isolated)
    call, _ = encode_call(asked, "g-1")
    head = decode_call(call)
    assert (head.protocol, head.threads, head.isolated) == (PROTOCOL, threads, isolated)
    # A node of the protocol before must not take it for a call that it understands.
    assert pickle.loads(call)[0] > OLDEST_PROTOCOL  # noqa: S301


def test_every_input_is_a_block_of_its_own() -> None:
    first, second = (
        InferenceRequest(
            id=id_, model=ModelKey("m", 1), rows=1, arrived_at=0.0,
            inputs=(
                Tensor(name="x", datatype=Datatype.UINT8, shape=(1, 2), raw=x),
                Tensor(name="z", datatype=Datatype.INT8, shape=(1, 1), raw=z),
            ),
        )
        for id_, x, z in ((1, b"ab", b"A"), (2, b"cd", b"C"))
    )  # fmt: skip
    call, raws = encode_call(batch(first, second), "g-1")
    assert decode_call(call)[4] == (("x", "UINT8", (2, 2)), ("z", "INT8", (2, 1)))
    assert raws == [b"abcd", b"AC"]


def test_a_call_and_its_reply_are_plain_bytes() -> None:
    asked = batch(request(1, 1, b"ab"))
    call, raws = encode_call(asked, "g-1")
    reply = encode_reply(encode_failure("abc", ModelUnavailableError("gone"), retryable=True))
    assert [type(part) for part in (call, *raws, reply)] == [bytes] * 3
    # Both sides may hold different versions of our classes, so no message names one.
    assert b"farm" not in call + reply


@pytest.mark.parametrize("number", [0, PROTOCOL + 1])
def test_a_call_of_a_foreign_protocol_is_refused_whatever_it_looks_like(number: int) -> None:
    for head in ((number, "m", "d", None, ()), (number, "something", "new"), (number,)):
        with pytest.raises(InternalError, match=f"protocol {number}.*upgrade the older"):
            decode_call(pickle.dumps(head))


def test_an_answer_comes_back_member_by_member() -> None:
    asked = batch(request(1, 1, b"ab"), request(2, 2, b"cdef"))
    members = ((("y", "FP32", (1,), b"1234"),), (("y", "FP32", (2,), b"12345678"),))
    reply = encode_reply(("ok", PROTOCOL, "abc", (1, 2, 3), members))
    outcome = decode_reply(asked, "pi", reply)
    assert isinstance(outcome, BatchCompleted)
    assert (outcome.batch_id, outcome.node_id, outcome.incarnation) == (7, "pi", "abc")
    assert outcome.timing == BatchTiming(input_ns=1, infer_ns=2, output_ns=3)
    assert outcome.timing.compute_ns == 6
    assert [tensor.raw for (tensor,) in outcome.outputs] == [b"1234", b"12345678"]
    assert outcome.outputs[1][0].datatype is Datatype.FP32


def test_a_failure_comes_back_with_its_code() -> None:
    failure = encode_failure("abc", ModelUnavailableError("gone"), retryable=True)
    reply = encode_reply(failure)
    assert decode_reply(batch(request(1, 1, b"ab")), "pi", reply) == BatchFailed(
        batch_id=7, node_id="pi", incarnation="abc", code=ModelUnavailableError.code,
        message="gone", retryable=True,
    )  # fmt: skip


def test_a_newer_nodes_error_code_is_still_a_failure() -> None:
    reply = encode_reply(("failed", PROTOCOL, "abc", "invented_later", "something", True))
    assert decode_reply(batch(request(1, 1, b"ab")), "pi", reply) == BatchFailed(
        batch_id=7, node_id="pi", incarnation="abc", code=ErrorCode.INTERNAL,
        message="something", retryable=True,
    )  # fmt: skip


def test_a_node_that_is_too_old_for_a_batch_leaves_it_to_another() -> None:
    words = "the other side speaks actor protocol 2, this one 1 to 1"
    reply = encode_reply(("failed", OLDEST_PROTOCOL, "abc", "internal", words, False))
    outcome = decode_reply(batch(request(1, 1, b"ab")), "pi", reply)
    assert isinstance(outcome, BatchFailed)
    assert outcome.retryable
