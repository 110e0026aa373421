"""Every caller gets its own answer, whatever becomes of its batch-mates and of the nodes."""

import asyncio
from collections.abc import Iterable

import pytest
from fake_pool import Flight
from little_farm import WAIT_S, LittleFarm, until

from farm.core.errors import (
    DeadlineExceededError,
    DrainingError,
    ErrorCode,
    ExecutionFailedError,
    FarmError,
    InternalError,
    InvalidRequestError,
    ModelNotFoundError,
    NodeLostError,
    QueueTimeoutError,
)
from farm.core.nodes import NodeState
from farm.core.requests import BatchFailed, InferenceRequest, Receipt
from farm.core.snapshots import GatewayState
from farm.engine.dataplane import InferenceResult
from farm.scheduling.effects import Effect
from farm.scheduling.events import BatchFinished, Event, RequestArrived
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import LeastExpectedCompletion

Caller = asyncio.Task[InferenceResult]


async def result(caller: Caller) -> InferenceResult:
    return await asyncio.wait_for(caller, WAIT_S)


async def failure(caller: Caller) -> FarmError:
    with pytest.raises(FarmError) as caught:
        await result(caller)
    return caught.value


async def test_a_request_is_answered_with_a_receipt() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        answered = await result(farm.infer(b"ab", b"cd"))
        y, rows = answered.outputs
        assert (y.name, y.shape, y.raw) == ("y", (2, 2), b"abcd")
        assert (rows.name, rows.raw) == ("rows", b"\x02\x02")
        assert str(answered.model) == "echo:1"
        receipt = answered.receipt
        assert (receipt.node_id, receipt.digest, receipt.batch_rows, receipt.attempts) == (
            "a", "digest of echo:1", 2, 1,
        )  # fmt: skip
        assert receipt.compute_s == pytest.approx(6e-6)
        assert [(code, told) for _, code, told in farm.notes.finished] == [(None, receipt)]


async def test_what_a_version_did_is_counted_as_triton_counts() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        await result(farm.infer(b"ab", b"cd"))
        (counts,) = farm.snapshots.counts()
        assert (counts.success, counts.failure, counts.pending) == (1, 0, 0)
        assert (counts.inferences, counts.executions) == (2, 1)
        compute_ns = counts.compute_input_ns + counts.compute_infer_ns + counts.compute_output_ns
        assert compute_ns == 6_000
        assert counts.request_ns >= counts.queue_ns > 0


async def test_who_draws_requests_is_told_of_each_once_it_is_over() -> None:
    told: list[tuple[str, ErrorCode | None, int]] = []

    class Drawing:
        def attempt_failed(
            self,
            request: InferenceRequest,
            failed: BatchFailed,
            *,
            began_at: float,
            ended_at: float,
        ) -> None:
            assert request.arrived_at <= began_at <= ended_at
            told.append((request.given_id, failed.code, failed.batch_id))

        def request_ended(
            self,
            request: InferenceRequest,
            code: ErrorCode | None,
            receipt: Receipt | None,
            latency_s: float,
        ) -> None:
            assert latency_s >= 0
            told.append((request.given_id, code, receipt.batch_id if receipt else 0))

    async with LittleFarm("a", "b", tracer=Drawing()) as farm:
        await farm.start_nodes()
        await result(farm.infer(given_id="answered"))
        for node in farm.pool.nodes.values():
            node.auto = False
        caller = farm.infer(given_id="again")
        await until(farm.pool.open_flights)
        lost = farm.pool.flights[-1]
        lost.fail(ErrorCode.NODE_LOST, "it burned")
        await until(lambda: farm.pool.flights[-1] is not lost)
        again = farm.pool.flights[-1]
        again.finish()
        await result(caller)
        await failure(farm.infer(given_id="late", timeout_s=0.01))
        assert told == [
            ("answered", None, farm.pool.flights[0].batch.id),
            ("again", ErrorCode.NODE_LOST, lost.batch.id),
            ("again", None, again.batch.id),
            ("late", ErrorCode.DEADLINE_EXCEEDED, 0),
        ]


async def test_requests_that_come_turn_by_turn_leave_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By turns of the loop alone, however long they take here.
    monkeypatch.setattr("farm.engine.engine.GATHERING_S", WAIT_S)
    monkeypatch.setattr("farm.engine.engine.LONE_S", WAIT_S)
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        for node in farm.pool.nodes.values():
            node.auto = False
        callers = [farm.infer(b"ab")]
        await until(farm.pool.open_flights)
        for _ in range(3):
            callers.append(farm.infer(b"cd"))
            await asyncio.sleep(0)
        await until(lambda: len(farm.pool.open_flights()) == 2)
        assert [len(f.batch.members) for f in farm.pool.open_flights()] == [1, 3]
        for flight in farm.pool.open_flights():
            flight.finish()
        for caller in callers:
            await result(caller)


async def test_outputs_come_as_they_were_asked_for() -> None:
    async with LittleFarm() as farm:
        await farm.start_nodes()
        asked = await result(farm.infer(outputs=("rows", "y")))
        assert [tensor.name for tensor in asked.outputs] == ["rows", "y"]
        asked = await result(farm.infer(outputs=("rows",)))
        assert [tensor.name for tensor in asked.outputs] == ["rows"]


async def test_each_of_many_callers_gets_its_own_answer_in_shared_batches() -> None:
    async with LittleFarm("a", "b", "c") as farm:
        await farm.start_nodes()
        callers = {number: farm.infer(number.to_bytes(2, "big")) for number in range(200)}
        for number, caller in callers.items():
            y, rows = (await result(caller)).outputs
            assert y.raw == number.to_bytes(2, "big")
            assert 1 <= rows.raw[0] <= 8
        assert len(farm.pool.flights) < 100
        assert {flight.node_id for flight in farm.pool.flights} == {"a", "b", "c"}
        assert sum(entry.requests for entry in farm.notes.settled) == 200


async def test_requests_that_wait_for_a_slot_leave_together() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        first = farm.infer(b"00")
        await until(farm.pool.open_flights)
        others = [farm.infer(b"11"), farm.infer(b"22", b"33"), farm.infer(b"44")]
        await until(lambda: farm.machine.accepted == 4)
        assert len(farm.pool.flights) == 1
        farm.pool.flights[0].finish()
        await until(lambda: len(farm.pool.flights) == 2)
        assert [m.rows for m in farm.pool.flights[1].batch.members] == [1, 2, 1]
        farm.pool.flights[1].finish()
        assert [(await result(c)).outputs[0].raw for c in (first, *others)] == [
            b"00", b"11", b"2233", b"44",
        ]  # fmt: skip


async def test_the_more_urgent_request_goes_first() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        callers = [farm.infer(b"00")]
        await until(farm.pool.open_flights)
        # Eight rows each, so that no two ride together.
        callers += [farm.infer(*[b"11"] * 8), farm.infer(*[b"22"] * 8, priority=1)]
        await until(lambda: farm.machine.accepted == 3)
        for number in range(3):
            await until(lambda number=number: len(farm.pool.flights) > number)
            farm.pool.flights[number].finish()
        await asyncio.wait(callers, timeout=WAIT_S)
        assert [f.batch.members[0].inputs[0].raw[:1] for f in farm.pool.flights] == [
            b"0", b"2", b"1",
        ]  # fmt: skip


# -- cancellation ---------------------------------------------------------------------


async def test_a_caller_that_leaves_does_not_disturb_its_batch_mates() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        leaving, staying = farm.infer(b"11"), farm.infer(b"22")
        await until(farm.pool.open_flights)
        assert len(farm.pool.flights[0].batch.members) == 2
        leaving.cancel()
        await asyncio.wait([leaving], timeout=WAIT_S)
        assert leaving.cancelled()
        assert farm.pool.cancelled == []
        farm.pool.flights[0].finish()
        assert (await result(staying)).outputs[0].raw == b"22"
        assert [code for _, code, _ in farm.notes.finished] == [ErrorCode.CANCELLED, None]


async def test_a_batch_that_nobody_waits_for_is_cancelled_at_its_node() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        callers = [farm.infer(b"11"), farm.infer(b"22")]
        await until(farm.pool.open_flights)
        for caller in callers:
            caller.cancel()
        await until(lambda: farm.pool.cancelled)
        (flight,) = farm.pool.flights
        assert farm.pool.cancelled == [flight.batch.id]
        # Its slot is free only when the node has really let go of it.
        third = farm.infer(b"33")
        await until(lambda: farm.machine.accepted == 1)
        assert len(farm.pool.flights) == 1
        flight.fail(ErrorCode.CANCELLED)
        await until(lambda: len(farm.pool.flights) == 2)
        farm.pool.flights[1].finish()
        assert (await result(third)).outputs[0].raw == b"33"


async def test_a_caller_that_leaves_the_queue_is_never_run() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        first = farm.infer(b"11")
        await until(farm.pool.open_flights)
        waiting = farm.infer(b"22")
        await until(lambda: farm.machine.accepted == 2)
        waiting.cancel()
        await until(lambda: farm.machine.accepted == 1)
        farm.pool.flights[0].finish()
        await result(first)
        await asyncio.wait_for(farm.engine.drained(), WAIT_S)
        assert len(farm.pool.flights) == 1


async def test_a_caller_that_leaves_at_once_is_forgotten() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        caller = farm.infer(b"11")
        caller.cancel()
        await asyncio.wait([caller], timeout=WAIT_S)
        await asyncio.wait_for(farm.engine.drained(), WAIT_S)
        assert (await result(farm.infer(b"22"))).outputs[0].raw == b"22"


# -- nodes that fail ------------------------------------------------------------------


async def test_a_batch_that_a_full_node_sent_back_runs_on_another() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        failed_on = []

        def fail_first(flight: Flight) -> None:
            if not failed_on:
                failed_on.append(flight.node_id)
                flight.fail(ErrorCode.NODE_BUSY)

        farm.pool.on_execute = fail_first
        answered = await result(farm.infer(b"11"))
        assert answered.outputs[0].raw == b"11"
        # It was never tried there.
        assert answered.receipt.attempts == 1
        assert [answered.receipt.node_id, *failed_on] in (["a", "b"], ["b", "a"])


async def test_a_request_that_every_try_lost_is_told_the_last_reason() -> None:
    async with LittleFarm(*"abcde") as farm:
        await farm.start_nodes()
        farm.pool.on_execute = lambda flight: flight.fail(ErrorCode.NODE_LOST, "it burned")
        error = await failure(farm.infer(b"11"))
        assert isinstance(error, NodeLostError)
        assert "it burned" in error.message
        assert error.retry_after_s is not None
        # Once beside others, and as often as that is not held against it in a child process.
        assert len({flight.node_id for flight in farm.pool.flights}) == 4


async def test_requests_on_a_node_that_dies_are_answered_by_another() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        for node in farm.pool.nodes.values():
            node.auto = False
        callers = [farm.infer(bytes([n, n])) for n in range(4)]
        await until(farm.pool.open_flights)
        dead = farm.pool.flights[0].node_id
        alive = "b" if dead == "a" else "a"
        farm.pool.nodes[alive].auto = True
        farm.pool.kill(dead)
        for flight in farm.pool.open_flights(alive):
            flight.finish()
        answered = [await result(caller) for caller in callers]
        assert [a.outputs[0].raw for a in answered] == [bytes([n, n]) for n in range(4)]
        assert {a.receipt.node_id for a in answered} == {alive}


async def test_an_answer_that_comes_after_its_nodes_death_was_told_is_ignored() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        for node in farm.pool.nodes.values():
            node.auto = False
        caller = farm.infer(b"11")
        await until(farm.pool.open_flights)
        late = farm.pool.flights[0]
        farm.pool.kill(late.node_id)
        await until(lambda: len(farm.pool.flights) == 2)
        late.finish()
        farm.pool.flights[1].finish()
        answered = await result(caller)
        assert answered.receipt.node_id != late.node_id
        assert len(farm.notes.finished) == 1
        assert not farm.engine.broken.is_set()


async def test_the_request_that_a_model_fails_on_is_found_among_its_mates() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()

        def fail_on_poison(flight: Flight) -> None:
            members = flight.batch.members
            if any(member.inputs[0].raw == b"!!" for member in members):
                flight.fail(ErrorCode.EXECUTION_FAILED, "the model failed", retryable=False)

        farm.pool.on_execute = fail_on_poison
        good = [farm.infer(b"11"), farm.infer(b"22")]
        bad = farm.infer(b"!!")
        assert isinstance(await failure(bad), ExecutionFailedError)
        assert [(await result(caller)).outputs[0].raw for caller in good] == [b"11", b"22"]


# -- time -----------------------------------------------------------------------------


async def test_a_request_without_a_deadline_gets_the_default_one() -> None:
    async with LittleFarm("a", default_timeout_s=0.05) as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        error = await failure(farm.infer(b"11"))
        assert isinstance(error, DeadlineExceededError)
        assert farm.pool.cancelled == [farm.pool.flights[0].batch.id]


async def test_the_callers_own_deadline_holds() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        assert isinstance(await failure(farm.infer(timeout_s=0.02)), DeadlineExceededError)
        assert isinstance(await failure(farm.infer(timeout_s=0.0)), DeadlineExceededError)


async def test_a_request_that_waits_too_long_in_the_queue_is_told_to_come_back() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        running = farm.infer(b"11", queue_timeout_s=0.02)
        await until(farm.pool.open_flights)
        error = await failure(farm.infer(b"22", queue_timeout_s=0.02))
        assert isinstance(error, QueueTimeoutError)
        assert error.retry_after_s is not None
        farm.pool.flights[0].finish()
        assert (await result(running)).outputs[0].raw == b"11"


# -- refusals -------------------------------------------------------------------------


async def test_a_wrong_request_is_refused_before_it_reaches_a_node() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        assert isinstance(await failure(farm.infer(model="other")), ModelNotFoundError)
        assert isinstance(await failure(farm.infer(*[b"11"] * 9)), InvalidRequestError)
        assert isinstance(await failure(farm.infer(outputs=("z",))), InvalidRequestError)
        error = await failure(farm.infer(priority=-1))
        assert "'priority'" in error.message
        assert farm.pool.flights == []
        # The frontend counts what it answers with an error.
        assert (farm.notes.errors, farm.notes.finished) == ([], [])


async def test_draining_answers_what_was_accepted_and_refuses_the_rest() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        accepted = farm.infer(b"11")
        await until(farm.pool.open_flights)
        farm.dataplane.state = GatewayState.DRAINING
        drained = asyncio.create_task(farm.engine.drained())
        error = await failure(farm.infer(b"22"))
        assert isinstance(error, DrainingError)
        assert error.retry_after_s is not None
        assert not drained.done()
        assert not farm.dataplane.serving()
        farm.pool.flights[0].finish()
        assert (await result(accepted)).outputs[0].raw == b"11"
        await asyncio.wait_for(drained, WAIT_S)


async def test_an_idle_farm_is_drained_at_once() -> None:
    async with LittleFarm("a") as farm:
        await asyncio.wait_for(farm.engine.drained(), WAIT_S)


# -- defects --------------------------------------------------------------------------


class Fragile(Machine):
    """A machine with a defect: it raises, once, on an event of type `on`.

    `seen` holds every event it was given.
    """

    def __init__(self, on: type[Event]) -> None:
        super().__init__(limits=SchedulingLimits(), policy=LeastExpectedCompletion())
        self.on: type[Event] | None = on
        self.seen: list[Event] = []

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        events = tuple(events)
        self.seen += events
        if self.on is not None and any(isinstance(event, self.on) for event in events):
            self.on = None
            raise ZeroDivisionError("secret")
        return super().handle_all(events, now)


async def test_a_defect_of_the_machine_ends_every_request_and_asks_for_a_restart() -> None:
    async with LittleFarm("a", "b", machine=Fragile(BatchFinished)) as farm:
        await farm.start_nodes()
        for node in farm.pool.nodes.values():
            node.auto = False
        callers = [farm.infer(*[bytes([n, n])] * 8) for n in range(3)]
        await until(lambda: len(farm.pool.open_flights()) == 2)
        farm.pool.flights[0].finish()
        for caller in callers:
            error = await failure(caller)
            assert isinstance(error, InternalError)
            assert "secret" not in error.message
        assert farm.engine.broken.is_set()
        await asyncio.wait_for(farm.engine.drained(), WAIT_S)


async def test_a_defect_ends_the_requests_that_arrived_with_it() -> None:
    async with LittleFarm("a", machine=Fragile(RequestArrived)) as farm:
        await farm.start_nodes()
        for caller in [farm.infer(b"11"), farm.infer(b"22")]:
            assert isinstance(await failure(caller), InternalError)
        assert farm.engine.broken.is_set()


async def test_a_batch_that_ends_after_the_defect_disturbs_nothing() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    machine = Fragile(BatchFinished)
    async with LittleFarm("a", "b", "c", machine=machine) as farm:
        await farm.start_nodes()
        for node in farm.pool.nodes.values():
            node.auto = False
        callers = [farm.infer(*[bytes([n, n])] * 8) for n in range(3)]
        await until(lambda: len(farm.pool.open_flights()) == 3)
        farm.pool.flights[0].finish()
        replies = [await failure(caller) for caller in callers]
        seen = list(machine.seen)
        farm.pool.flights[1].finish()
        farm.pool.flights[2].fail(ErrorCode.INTERNAL)
        farm.pool.kill("b")
        await until(lambda: not farm.engine._tasks and not farm.engine._inbox)
        await until(lambda: farm.fleet.members["b"].state is NodeState.LOST)
        await until(lambda: not farm.engine._turn_due)
        # Its state cannot be trusted, so it is told nothing more and nobody is told twice.
        assert machine.seen == seen
        assert [type(reply) for reply in replies] == [InternalError] * 3
        codes = [code for _, code, _ in farm.notes.finished]
        assert codes == [ErrorCode.INTERNAL] * 3
    assert complaints == []


async def test_after_the_defect_requests_are_refused_at_once() -> None:
    machine = Fragile(RequestArrived)
    async with LittleFarm("a", machine=machine) as farm:
        await farm.start_nodes()
        assert isinstance(await failure(farm.infer(b"11")), InternalError)
        seen = list(machine.seen)
        error = await failure(farm.infer(b"22"))
        assert isinstance(error, InternalError)
        assert "restart" in error.message
        assert machine.seen == seen
        assert farm.pool.flights == []
        await asyncio.wait_for(farm.engine.drained(), WAIT_S)


async def test_a_pool_that_raises_does_not_leave_its_callers_waiting() -> None:
    def explode(flight: Flight) -> None:
        raise RuntimeError("a defect of the pool")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.on_execute = explode
        caller = farm.infer(b"11", timeout_s=20.0)
        with pytest.raises(FarmError) as caught:
            await result(caller)
        assert not isinstance(caught.value, DeadlineExceededError)
