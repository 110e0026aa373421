"""A version that is served with other files: who waits for it goes on or is sent away."""

from dataclasses import replace

import pytest
from harness import OTHER, SCALE, Driver, arrivals, joined, request, spec, tensor_spec

from farm.core.errors import ErrorCode
from farm.core.models import DynamicBatching, ModelSpec
from farm.core.requests import InferenceRequest
from farm.core.tensors import Datatype
from farm.scheduling.events import ModelChanged, NodeChanged, RequestArrived

# What waits has one FP32 input "x" of shape [2, 2]; these take it.
SAME = [
    spec(digest_="newer"),
    spec(max_batch_size=2),
    spec(inputs=(tensor_spec(shape=(-1, 2)),)),
    spec(inputs=(tensor_spec(shape=(-1, 4), model_shape=(-1, 2)),)),
    spec(inputs=(tensor_spec(), tensor_spec("more", optional=True))),
    spec(batching=DynamicBatching(max_queue_delay_s=1.0), max_instances=1),
]
# And these do not.
OTHERS = [
    spec(inputs=(tensor_spec("z"),)),
    spec(inputs=(tensor_spec(), tensor_spec("more"))),
    spec(inputs=(tensor_spec(datatype=Datatype.INT32),)),
    spec(inputs=(tensor_spec(shape=(-1, 3)),)),
    spec(inputs=(tensor_spec(shape=(-1, 2), model_shape=(-1, 1, 2)),)),
    spec(inputs=(tensor_spec(shape=(-1, -1, -1)),)),
    spec(max_batch_size=1),
    spec(max_batch_size=0),
]


@pytest.mark.parametrize("newer", SAME)
def test_what_fits_waits_on(driver: Driver, newer: ModelSpec) -> None:
    driver.send(RequestArrived(request(1, rows=2)))
    assert driver.send(ModelChanged(SCALE, newer)) == []
    assert driver.send(joined(digests=("newer",))) == ["dispatch #1 [1] to a"]
    ((batch, _, _),) = driver.dispatched.values()
    assert batch.digest == newer.digest


@pytest.mark.parametrize("newer", OTHERS)
def test_what_does_not_fit_is_sent_away(driver: Driver, newer: ModelSpec) -> None:
    driver.send(RequestArrived(request(1, rows=2)))
    assert driver.send(ModelChanged(SCALE, newer)) == ["reject 1 model_unavailable"]
    error = driver.rejected()[1].error
    assert error.retry_after_s == driver.limits.pushback_s
    assert error.message == (
        "model 'scale' version 1 was reloaded with other inputs or outputs; send the request again"
    )


def test_only_those_that_do_not_fit_are_sent_away(driver: Driver) -> None:
    driver.send(RequestArrived(request(1, width=3)), RequestArrived(request(2)))
    narrow = spec(inputs=(tensor_spec(shape=(-1, 2)),))
    assert driver.send(ModelChanged(SCALE, narrow)) == ["reject 1 model_unavailable"]
    assert driver.send(joined()) == ["dispatch #1 [2] to a"]


def test_a_first_dimension_that_was_none_of_rows_does_not_become_one(driver: Driver) -> None:
    """An unbatched request of shape [4, 2] counts as one row; a batch would be split wrongly."""
    (x,) = request(1, rows=4).inputs
    whole = InferenceRequest(id=1, model=SCALE, inputs=(x,), rows=1, arrived_at=0.0)
    driver.send(ModelChanged(SCALE, spec(max_batch_size=0)), RequestArrived(whole))
    assert driver.send(ModelChanged(SCALE, spec())) == ["reject 1 model_unavailable"]


def test_what_ran_alone_may_share_a_batch_and_back(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(max_batch_size=0)), *arrivals(1, 2))
    driver.send(ModelChanged(SCALE, spec()))
    assert driver.send(joined()) == ["dispatch #1 [1 2] to a"]
    driver.send(*arrivals(3, 4), ModelChanged(SCALE, spec(max_batch_size=0)))
    assert driver.finish(1)[-1] == "dispatch #2 [3] to a"


def test_requests_that_were_promised_other_outputs_are_sent_away(driver: Driver) -> None:
    driver.send(*arrivals(1))
    newer = replace(spec(digest_="newer"), outputs=(tensor_spec(),))
    assert driver.send(ModelChanged(SCALE, newer)) == ["reject 1 model_unavailable"]


def test_a_request_under_suspicion_stays_alone(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.send(NodeChanged(node_id="a", cordoned=True))
    driver.fail(1, ErrorCode.EXECUTION_FAILED, retryable=False)
    driver.send(ModelChanged(SCALE, spec(max_batch_size=4)))
    assert driver.send(NodeChanged(node_id="a", cordoned=False)) == ["dispatch #2 [1] to a"]


def test_what_failed_in_flight_must_fit_what_is_served_now(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), RequestArrived(request(1, width=3)))
    assert driver.send(ModelChanged(SCALE, spec(inputs=(tensor_spec(shape=(-1, 2)),)))) == []
    assert driver.fail(1) == ["reject 1 model_unavailable", "ledger #1 unreachable"]


def test_what_is_in_flight_ends_on_the_old_files(driver: Driver) -> None:
    old = spec().digest
    driver.send(joined(slots=2), *arrivals(1))
    driver.send(ModelChanged(SCALE, spec(digest_="newer")))
    assert driver.send(NodeChanged(node_id="a", ready={"newer": None})) == []
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]
    assert [driver.machine.inflight_of(SCALE, digest) for digest in (old, "newer")] == [1, 1]
    driver.finish(1)
    assert driver.machine.inflight_of(SCALE, old) == 0
    assert driver.resolved()[1].receipt.digest == old


def test_what_a_full_node_gave_back_after_a_reload_runs_as_the_new_files_do(
    driver: Driver,
) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.send(ModelChanged(SCALE, spec(joins=False)))
    driver.fail(1, ErrorCode.NODE_BUSY)
    assert driver.advance_to(1.0) == ["dispatch #2 [1] to a"]
    assert driver.finish(2)[-1] == "dispatch #3 [2] to a"


def test_a_digest_that_two_models_share_counts_for_each(driver: Driver) -> None:
    driver.send(ModelChanged(OTHER, spec(OTHER, digest_=spec().digest)), joined(slots=2))
    driver.send(*arrivals(1), RequestArrived(request(2, model=OTHER)))
    digest = spec().digest
    assert [driver.machine.inflight_of(key, digest) for key in (SCALE, OTHER)] == [1, 1]


def test_files_that_leave_a_node_leave_its_batches_alone(driver: Driver) -> None:
    driver.send(joined(lookahead=1), *arrivals(1))
    assert driver.send(NodeChanged(node_id="a", ready={}), *arrivals(2)) == []
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed"]
    assert driver.machine.queued(SCALE) == 1


def test_other_models_are_untouched(driver: Driver) -> None:
    driver.send(ModelChanged(OTHER, spec(OTHER)), RequestArrived(request(1, model=OTHER)))
    assert driver.send(ModelChanged(SCALE, spec(inputs=(tensor_spec("z"),)))) == []
    assert driver.machine.queued(OTHER) == 1
