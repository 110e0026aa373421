"""Each status of the protocol's table from outside, over the wire, and a good request after it.

What a single ModelInfer can have wrong in detail is in test_bad_input.py, who is refused in
test_token_doors.py.
"""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from error_rows import INVALID, MISSING, ROWS, UNSUPPORTED, Row, Status, infer, load, slow
from farm_process import FarmProcess, wait_until
from served_models import SLOW_STEPS, copy_samples, write_adder, write_slow

from farm.client import AdminClient
from farm.client.channel import inference_methods
from farm.frontend.status import PUSHBACK_KEY
from farm.pb.open_inference_pb2 import RepositoryModelUnloadRequest
from farm.pb.services import INFERENCE_SERVICE

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("errors") / "models"
    root.mkdir()
    copy_samples(root)
    write_adder(root, "broken", 1.0)
    (root / "broken" / "1" / "model.onnx").write_bytes(b"\x08\x08 no model" * 50)
    write_slow(root, "slow")
    write_slow(root, "impatient", "dynamic_batching { default_queue_policy { max_queue_size: 1 } }")
    return root


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    with FarmProcess(models.parent, "--nodes", "1", "--models", str(models)) as process:
        yield process


@pytest.fixture
def channel(farm: FarmProcess) -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(farm.grpc, options=options) as opened:
        yield opened


@pytest.fixture
def admin(farm: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(farm.grpc) as opened:
        yield opened


def path(method: str) -> str:
    return f"/{INFERENCE_SERVICE}/{method}"


def call(channel: grpc.Channel, row: Row) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path(row.method))(row.request, timeout=60)
    return caught.value


def trailing(error: grpc.RpcError) -> dict[str, str]:
    return dict(error.trailing_metadata() or ())


def answer(channel: grpc.Channel) -> bytes:
    """A good request, answered."""
    return channel.unary_unary(path("ModelInfer"))(infer().SerializeToString(), timeout=60)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_a_status_and_then_a_good_request(channel: grpc.Channel, models: Path, row: Row) -> None:
    error = call(channel, row)
    assert error.code() is row.status, error.details()
    assert row.words in error.details()
    assert "Traceback" not in error.details()
    assert str(models.parent) not in error.details()
    assert trailing(error).get("farm-error-code", "") == row.code
    assert PUSHBACK_KEY not in trailing(error), "this will not be better later"
    assert answer(channel)


def test_every_method_of_the_protocol_has_an_answer(channel: grpc.Channel) -> None:
    """What is not offered says UNIMPLEMENTED; what is, takes an empty request or says why not."""
    refused = set()
    for name, method in inference_methods().items():
        if method.client_streaming:
            continue
        try:
            channel.unary_unary(method.path)(b"", timeout=30)
        except grpc.RpcError as error:
            assert error.code() in (UNSUPPORTED, MISSING, INVALID), (name, error.code())
            if error.code() is UNSUPPORTED:
                refused.add(name)
    assert refused == {
        name for name in inference_methods() if "SharedMemory" in name or "Trace" in name
    }


def test_a_full_queue_says_when_to_come_back(channel: grpc.Channel, admin: AdminClient) -> None:
    method = channel.unary_unary(path("ModelInfer"))
    running = [method.future(slow("impatient", SLOW_STEPS), timeout=60)]
    wait_until(
        lambda: admin.snapshot().inflight_batches > 0, timeout_s=30, what="the first one runs"
    )
    # One more may wait at the node and one in the queue; the rest is too much.
    running += [method.future(slow("impatient", 1), timeout=60) for _ in range(6)]
    refused = [call for call in running if call.exception() is not None]
    assert 1 <= len(refused) <= 5
    for error in refused:
        assert error.code() is Status.UNAVAILABLE
        assert trailing(error)["farm-error-code"] == "queue_full"
        assert int(trailing(error)[PUSHBACK_KEY]) > 0
        assert "'impatient'" in error.details()
    assert answer(channel)


def test_time_up_in_the_queue(channel: grpc.Channel, admin: AdminClient) -> None:
    method = channel.unary_unary(path("ModelInfer"))
    running = [method.future(slow("slow", SLOW_STEPS), timeout=60) for _ in range(3)]
    wait_until(
        lambda: admin.snapshot().queued_requests > 0, timeout_s=30, what="requests have to wait"
    )
    error = method.future(slow("slow", 1, timeout=20_000), timeout=60).exception()
    assert isinstance(error, grpc.RpcError)
    assert error.code() is Status.UNAVAILABLE
    assert trailing(error)["farm-error-code"] == "queue_timeout"
    assert [call.exception() for call in running] == [None] * 3
    assert answer(channel)


def test_a_deadline_that_passes_while_the_model_runs(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path("ModelInfer"))(slow("slow", SLOW_STEPS), timeout=0.1)
    assert caught.value.code() is Status.DEADLINE_EXCEEDED
    assert answer(channel)


def test_a_call_cancelled_by_its_client(channel: grpc.Channel, admin: AdminClient) -> None:
    method = channel.unary_unary(path("ModelInfer"))
    cancelled = method.future(slow("slow", SLOW_STEPS), timeout=60)
    wait_until(lambda: admin.snapshot().inflight_batches > 0, timeout_s=30, what="it runs")
    cancelled.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        cancelled.result()
    assert cancelled.code() is Status.CANCELLED
    assert answer(channel)


def test_an_unloaded_model_is_unavailable_until_it_is_loaded(channel: grpc.Channel) -> None:
    unload = RepositoryModelUnloadRequest(model_name="simple_identity").SerializeToString()
    channel.unary_unary(path("RepositoryModelUnload"))(unload, timeout=60)
    row = Row(
        name="",
        method="ModelInfer",
        request=infer("simple_identity").SerializeToString(),
        status=Status.UNAVAILABLE,
    )
    error = call(channel, row)
    assert error.code() is Status.UNAVAILABLE
    assert trailing(error)["farm-error-code"] == "model_unavailable"
    assert "'simple_identity'" in error.details()
    channel.unary_unary(path("RepositoryModelLoad"))(load("simple_identity"), timeout=60)
    error = call(channel, row)
    assert error.code() is INVALID, "served again, and these are not its inputs"
    assert answer(channel)


def test_errors_on_a_stream_are_words_in_its_answers(channel: grpc.Channel) -> None:
    good = infer().SerializeToString()
    unary = [
        row
        for row in ROWS
        if row.method == "ModelInfer" and row.code and row.request != b"\xff\xff\xff\xff"
    ]
    requests = [row.request for row in unary] + [good]
    stream = inference_methods()["ModelStreamInfer"]
    call = channel.stream_stream(
        stream.path, response_deserializer=stream.response_type.FromString
    )(iter(requests), timeout=60)
    answers = list(call)
    assert call.code() is Status.OK
    assert len(answers) == len(requests)
    messages = [answer.error_message for answer in answers if answer.error_message]
    assert len(messages) == len(unary)
    for row in unary:
        assert any(row.words in message for message in messages), row.name


def test_after_all_that_the_farm_is_whole(admin: AdminClient) -> None:
    wait_until(
        lambda: (admin.snapshot().queued_requests, admin.snapshot().inflight_batches) == (0, 0),
        timeout_s=30,
        what="everything was answered",
    )
    assert [node.state for node in admin.snapshot().nodes] == ["ready"]
