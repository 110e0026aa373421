"""How requests wait, as a model's config has it: levels, bounds, timeouts, instances.

The node has two slots, so that what bounds a model is its instance_group, and a request in
the one slot of a model keeps the others in the farm's queue: none waits at the node.
"""

import queue
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from farm_process import FarmProcess
from feature_models import write_queued

from farm.client import AdminClient
from farm.frontend.status import PUSHBACK_KEY
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from farm.pb.services import INFERENCE_SERVICE

pytestmark = pytest.mark.integration

# Enough steps for what waits behind them to be seen waiting.
LONG = 120_000

LEVELS = """
    priority_levels: 3 default_priority_level: 2
    priority_queue_policy { key: 1 value { max_queue_size: 1 } }
    priority_queue_policy { key: 3 value { max_queue_size: 2 } }
"""
MINUTE_US = 60_000_000
CONFIGS = {
    "levels": LEVELS,
    "plain": "",
    "bounded": "default_queue_policy { max_queue_size: 2 }",
    "short": "default_queue_policy { default_timeout_microseconds: 20000 }",
    "short_overridable": "default_queue_policy {"
    " default_timeout_microseconds: 20000 allow_timeout_override: true }",
    "minute": f"default_queue_policy {{ default_timeout_microseconds: {MINUTE_US} }}",
    "minute_overridable": "default_queue_policy {"
    f" default_timeout_microseconds: {MINUTE_US} allow_timeout_override: true }}",
    "delaying": "default_queue_policy { timeout_action: DELAY"
    f" default_timeout_microseconds: {MINUTE_US} allow_timeout_override: true }}",
}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    root = tmp_path_factory.mktemp("queueing") / "models"
    root.mkdir()
    for name, config in CONFIGS.items():
        write_queued(root, name, config)
    write_queued(root, "pair", "", count=2)
    write_queued(root, "unbounded", "", count=0)
    with FarmProcess(
        root.parent, "--nodes", "1", "--models", str(root), environment={"FARM_NODE__SLOTS": "2"}
    ) as process:
        yield process


@pytest.fixture
def admin(farm: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(farm.grpc) as opened:
        yield opened


class Calls:
    """Requests to one slow model, by name, and the order in which they ended."""

    def __init__(self, channel: grpc.Channel, admin: AdminClient, model: str) -> None:
        self._infer = channel.unary_unary(
            f"/{INFERENCE_SERVICE}/ModelInfer",
            request_serializer=ModelInferRequest.SerializeToString,
            response_deserializer=ModelInferResponse.FromString,
        )
        self._admin = admin
        self._model = model
        self._sent: dict[str, grpc.Future] = {}
        self._open = 0
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def send(self, name: str, count: int = 1, **parameters: int) -> None:
        request = ModelInferRequest(model_name=self._model)
        request.inputs.add(name="STEPS", datatype="INT64", shape=[1, 1])
        request.raw_input_contents.append(np.array([count], dtype=np.int64).tobytes())
        for key, value in parameters.items():
            request.parameters[key].int64_param = value
        # Without a deadline of its own it gets the gateway's, so that they are in order of arrival.
        call = self._infer.future(request)
        self._sent[name] = call
        self._open += 1
        call.add_done_callback(lambda _: self._ended.put(name))

    def occupy(self) -> None:
        """Fill the model's one instance."""
        self.send("running", LONG)
        self.wait(running=1, queued=0)

    def watch(self) -> set[tuple[int, int]]:
        """Return how many batches ran and how many requests waited, until all have ended."""
        seen = set()
        while not all(call.done() for call in self._sent.values()):
            snapshot = self._admin.snapshot()
            seen.add((snapshot.inflight_batches, snapshot.queued_requests))
        return seen

    def wait(self, *, running: int, queued: int) -> None:
        """Wait until so many batches run and so many requests wait."""

        until = time.monotonic() + 30
        # Without a pause between two looks: what is waited for is over when the long one ends.
        while True:
            snapshot = self._admin.snapshot()
            if (snapshot.inflight_batches, snapshot.queued_requests) == (running, queued):
                return
            assert time.monotonic() < until, f"never {running} running, {queued} queued"

    def leave(self, name: str) -> None:
        """Cancel a request, wherever it is by now."""
        self._sent[name].cancel()

    def next_end(self) -> str:
        """Wait until one more request has ended, well or not; return its name."""
        name = self._ended.get(timeout=20)
        self._open -= 1
        return name

    def finish(self) -> list[str]:
        """Wait until all that was sent has ended; return the names in that order."""
        order = [self.next_end() for _ in range(self._open)]
        self.wait(running=0, queued=0)
        return order

    def error(self, name: str) -> tuple[str, str, dict[str, str]]:
        """Status, message and trailers of a request that failed."""
        failed = self._sent[name].exception(timeout=90)
        assert isinstance(failed, grpc.RpcError), f"{name} was answered"
        return failed.code().name, failed.details(), dict(failed.trailing_metadata())

    @property
    def failed(self) -> set[str]:
        return {name for name, call in self._sent.items() if call.exception(timeout=90)}


@pytest.fixture
def calls(request: pytest.FixtureRequest, farm: FarmProcess, admin: AdminClient) -> Iterator[Calls]:
    with grpc.insecure_channel(farm.grpc) as channel:
        yield Calls(channel, admin, request.param)


def for_model(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("calls", [name], indirect=True)


def check_pushed_back(calls: Calls, name: str, code: str) -> str:
    """Check that a request was refused with a hint when to come back; return its message."""
    status, message, trailers = calls.error(name)
    assert (status, trailers["farm-error-code"]) == ("UNAVAILABLE", code)
    assert int(trailers[PUSHBACK_KEY]) > 0
    return message


@for_model("levels")
def test_levels_go_in_their_order(calls: Calls) -> None:
    calls.occupy()
    levels = {"third": 3, "default": 0, "second": 2, "odd": 9, "first": 1}
    for waiting, (name, level) in enumerate(levels.items(), start=1):
        calls.send(name, priority=level)
        calls.wait(running=1, queued=waiting)
    assert calls.finish() == ["running", "first", "default", "second", "odd", "third"]
    assert calls.failed == set()


@for_model("levels")
def test_each_level_has_a_bound_of_its_own(calls: Calls) -> None:
    calls.occupy()
    for position in range(4):
        for level in (1, 2, 3):
            calls.send(f"{level}.{position}", priority=level)
    # One of the first level, all of the second, two of the third.
    calls.wait(running=1, queued=1 + 4 + 2)
    calls.finish()
    by_level = {level: [n for n in calls.failed if n[0] == level] for level in "123"}
    assert {level: len(names) for level, names in by_level.items()} == {"1": 3, "2": 0, "3": 2}
    for name in calls.failed:
        message = check_pushed_back(calls, name, "queue_full")
        assert "'levels'" in message
        assert f"priority {name[0]}" in message


@for_model("bounded")
def test_the_default_policy_bounds_a_queue_without_levels(calls: Calls) -> None:
    calls.occupy()
    for position in range(5):
        calls.send(f"{position}")
    calls.finish()
    assert len(calls.failed) == 3
    for name in calls.failed:
        check_pushed_back(calls, name, "queue_full")
    calls.send("afterwards")
    assert calls.finish() == ["afterwards"]
    assert "afterwards" not in calls.failed


@for_model("short")
def test_a_default_timeout_is_for_every_request(calls: Calls) -> None:
    calls.occupy()
    calls.send("silent")
    calls.send("patient", timeout=MINUTE_US)
    order = calls.finish()
    assert order[-1] == "running", "both were told when their time was up"
    assert calls.failed == {"silent", "patient"}
    for name in calls.failed:
        check_pushed_back(calls, name, "queue_timeout")
    calls.send("at once")
    calls.finish()
    assert "at once" not in calls.failed, "what does not wait has no time to lose"


@for_model("short_overridable")
def test_an_override_makes_no_default_timeout_longer(calls: Calls) -> None:
    calls.occupy()
    calls.send("patient", timeout=MINUTE_US)
    assert calls.finish() == ["patient", "running"]
    check_pushed_back(calls, "patient", "queue_timeout")


@for_model("minute_overridable")
def test_an_override_makes_a_default_timeout_shorter(calls: Calls) -> None:
    calls.occupy()
    calls.send("silent")
    calls.send("hasty", timeout=20_000)
    assert calls.finish() == ["hasty", "running", "silent"]
    check_pushed_back(calls, "hasty", "queue_timeout")
    assert calls.failed == {"hasty"}


@for_model("minute")
def test_without_the_permission_there_is_no_override(calls: Calls) -> None:
    calls.occupy()
    calls.send("hasty", timeout=20_000)
    assert calls.finish() == ["running", "hasty"]
    assert calls.failed == set()


@for_model("plain")
def test_without_a_default_timeout_a_request_brings_its_own(calls: Calls) -> None:
    calls.occupy()
    calls.send("silent")
    calls.send("hasty", timeout=20_000)
    assert calls.finish() == ["hasty", "running", "silent"]
    assert calls.failed == {"hasty"}


@for_model("delaying")
def test_a_delayed_request_goes_behind_those_that_came_later(calls: Calls) -> None:
    calls.occupy()
    for waiting, (name, parameters) in enumerate(
        {"hasty": {"timeout": 20_000}, "second": {}, "third": {"timeout": MINUTE_US // 2}}.items(),
        start=1,
    ):
        calls.send(name, **parameters)
        calls.wait(running=1, queued=waiting)
    assert calls.finish() == ["running", "second", "third", "hasty"]
    assert calls.failed == set()


@for_model("plain")
def test_one_instance_leaves_a_slot_free(calls: Calls, farm: FarmProcess) -> None:
    for position in range(3):
        calls.send(f"{position}", LONG)
    calls.wait(running=1, queued=2)
    with grpc.insecure_channel(farm.grpc) as channel, AdminClient(farm.grpc) as admin:
        others = Calls(channel, admin, "minute")
        others.send("other", LONG)
        # The model that waits does not keep another one from the slot that it may not use.
        others.wait(running=2, queued=2)
        others.finish()
        calls.finish()
    assert calls.failed | others.failed == set()


@for_model("pair")
def test_two_instances_take_two_slots(calls: Calls) -> None:
    for position in range(3):
        calls.send(f"{position}", LONG)
    calls.wait(running=2, queued=1)
    calls.finish()
    assert calls.failed == set()


@for_model("unbounded")
def test_without_instances_the_slots_bound_a_model(calls: Calls) -> None:
    for position in range(5):
        calls.send(f"{position}", 2 * LONG)
    seen = calls.watch()
    # Behind each of both slots one may wait at the node, once its turn is foreseen.
    assert 2 <= max(running for running, _ in seen) <= 4
    assert any(queued for _, queued in seen), "the fifth has to wait at the gateway"
    calls.finish()
    assert calls.failed == set()


@for_model("unbounded")
def test_requests_that_are_left_do_not_keep_a_slot(calls: Calls) -> None:
    """Whether they wait in the farm's queue, at the node, or run when their caller goes."""
    for batch in range(50):
        names = [f"{batch}.{position}" for position in range(6)]
        for name in names:
            calls.send(name, 300)
        calls.next_end()
        for name in names:
            calls.leave(name)
        calls.finish()
