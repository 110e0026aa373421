"""What the log says of requests and batches, and how it is searched."""

import asyncio
from collections.abc import Iterator, MutableMapping
from random import Random
from typing import Any

import pytest
from fake_pool import Flight
from little_farm import WAIT_S, LittleFarm, tensor, until
from structlog.testing import capture_logs

from farm.core.errors import DeadlineExceededError, ErrorCode, ExecutionFailedError, FarmError
from farm.core.models import ModelKey
from farm.core.requests import (
    Batch,
    BatchFailed,
    BatchTiming,
    InferenceRequest,
    LedgerEntry,
    Placement,
)
from farm.engine.request_log import MOST_NAMED, MOST_PER_S, RequestLog

Lines = list[MutableMapping[str, Any]]
M = ModelKey("m", 1)


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as captured:
        yield captured


def events(lines: Lines) -> list[str]:
    """What was said of requests and batches, in order."""
    return [line["event"] for line in lines if line["event"].startswith(("batch_", "request_"))]


def about(lines: Lines, number: int) -> list[str]:
    """The story of one request."""
    return [
        line["event"]
        for line in lines
        if line.get("request") == number or number in line.get("requests", ())
    ]


async def test_a_failure_and_its_retry_are_found_by_request_and_batch(lines: Lines) -> None:
    def fail_first(flight: Flight) -> None:
        if flight.batch.id == 1:
            flight.fail(ErrorCode.INTERNAL, "it ran\nout of memory")

    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        farm.pool.on_execute = fail_first
        await asyncio.wait_for(farm.infer(given_id="order 66"), WAIT_S)
        assert events(lines) == ["batch_failed", "batch_retried"]
        failed, retried = lines[-2:]
        first, second = farm.pool.flights
        assert failed["batch"] == first.batch.id
        assert (failed["node"], failed["code"], failed["reason"]) == (
            first.node_id, "internal", "it ran\\nout of memory",
        )  # fmt: skip
        assert (retried["batch"], retried["node"]) == (second.batch.id, second.node_id)
        assert failed["ids"] == retried["ids"] == ["order 66"]
        assert about(lines, failed["requests"][0]) == ["batch_failed", "batch_retried"]
        assert (failed["log_level"], retried["log_level"]) == ("warning", "info")
        assert farm.engine.log.remembered == 0


async def test_what_a_lost_node_had_is_found_too(lines: Lines) -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        for node in farm.pool.nodes.values():
            node.auto = False
        caller = farm.infer(given_id="x")
        await until(lambda: farm.pool.flights)
        (lost,) = farm.pool.flights
        for node in farm.pool.nodes.values():
            node.auto = True
        farm.pool.kill(lost.node_id)
        await asyncio.wait_for(caller, WAIT_S)
        assert events(lines) == ["batch_failed", "batch_retried"]
        assert lines[-2]["code"] == "node_lost"
        assert farm.engine.log.remembered == 0


async def test_a_request_that_fails_for_good_is_told_with_its_reason(lines: Lines) -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.on_execute = lambda flight: flight.fail(
            ErrorCode.EXECUTION_FAILED, "shapes differ", retryable=False
        )
        with pytest.raises(ExecutionFailedError):
            await asyncio.wait_for(farm.infer(given_id="x"), WAIT_S)
        assert sorted(events(lines)) == ["batch_failed", "request_failed"]
        assert farm.engine.log.remembered == 0
        (line,) = [line for line in lines if line["event"] == "request_failed"]
        assert (line["id"], line["code"], line["reason"]) == (
            "x", "execution_failed", "shapes differ",
        )  # fmt: skip
        assert line["batch"] == farm.pool.flights[-1].batch.id


@pytest.mark.parametrize("verbose", [False, True])
async def test_what_is_no_fault_is_told_only_when_all_is_asked_for(
    lines: Lines, verbose: bool
) -> None:
    async with LittleFarm("a", verbose=verbose) as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        with pytest.raises(DeadlineExceededError):
            await asyncio.wait_for(farm.infer(given_id="late", timeout_s=0.01), WAIT_S)
        with pytest.raises(FarmError):
            await farm.infer(model="unheard-of", given_id="early")
        told = [line for line in lines if line["event"] == "request_refused"]
        assert [(line["id"], line["code"]) for line in told] == (
            [("late", "deadline_exceeded"), ("early", "model_not_found")] if verbose else []
        )
        assert bool(events(lines)) is verbose


async def test_every_batch_is_told_when_all_is_asked_for(lines: Lines) -> None:
    async with LittleFarm("a", verbose=True) as farm:
        await farm.start_nodes()
        await asyncio.wait_for(farm.infer(b"ab", b"cd", given_id="x"), WAIT_S)
        assert events(lines) == ["batch_dispatched", "batch_completed"]
        dispatched, completed = lines[-2:]
        assert (dispatched["rows"], dispatched["ids"]) == (2, ["x"])
        assert dispatched["policy"] == "least_expected_completion"
        assert completed["batch"] == dispatched["batch"]
        assert completed["compute_us"] == 6


async def test_a_farm_that_is_well_says_nothing(lines: Lines) -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        await asyncio.wait_for(farm.infer(), WAIT_S)
    assert events(lines) == []


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_becomes_of_requests_the_log_forgets_them(seed: int) -> None:
    lot = Random(seed)

    def come_out_somehow(flight: Flight) -> None:
        chance = lot.random()
        if chance < 0.1:
            flight.fail(ErrorCode.EXECUTION_FAILED, retryable=False)
        elif chance < 0.3:
            flight.fail(lot.choice([ErrorCode.INTERNAL, ErrorCode.NODE_BUSY]))
        elif chance < 0.4:
            farm.pool.nodes[flight.node_id].auto = False
        else:
            farm.pool.nodes[flight.node_id].auto = True

    async with LittleFarm("a", "b", "c") as farm:
        await farm.start_nodes()
        farm.pool.on_execute = come_out_somehow
        callers = [farm.infer(timeout_s=lot.choice([0.05, 5.0])) for _ in range(60)]
        for caller in lot.sample(callers, 10):
            caller.cancel()
        farm.pool.kill("c")
        while not all(caller.done() for caller in callers):
            for flight in farm.pool.open_flights():
                flight.finish()
            await asyncio.sleep(0)
        await asyncio.gather(*callers, return_exceptions=True)
        for flight in farm.pool.open_flights():
            flight.finish()
        await until(lambda: not farm.machine.inflight and not farm.engine.log.remembered)


# -- what clients may do to the log -----------------------------------------------------


class Hand:
    """A clock that tests set."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def unix_ns(self) -> int:
        return 0


def request(number: int, given_id: str = "") -> InferenceRequest:
    return InferenceRequest(
        id=number, model=M, inputs=(tensor(b"ab"),), rows=1, arrived_at=0.0, given_id=given_id
    )


def batch(number: int, *members: InferenceRequest, trigger: str = "free_slot") -> Batch:
    return Batch(
        id=number, model=M, digest="d", members=members, rows=len(members), batched=True,
        formed_at=0.0, trigger=trigger,
    )  # fmt: skip


def fail(log: RequestLog, failing: Batch) -> None:
    log.dispatched(failing, Placement(batch_id=failing.id, node_id="a", policy="p", reason="r"))
    log.came_back(
        BatchFailed(
            batch_id=failing.id, node_id="a", incarnation="i", code=ErrorCode.INTERNAL,
            message="no", retryable=True,
        )
    )  # fmt: skip
    log.settled(ended(failing, ErrorCode.INTERNAL))


def ended(batch: Batch, outcome: str, timing: BatchTiming | None = None) -> LedgerEntry:
    return LedgerEntry(
        batch_id=batch.id, model=M, digest="d", node_id="a", rows=1, requests=0, wasted=1,
        outcome=outcome, queue_s=0.0, compute_s=0.1, timing=timing, energy=None,
    )  # fmt: skip


def quiet_log(clock: Hand | None = None) -> RequestLog:
    return RequestLog(clock=clock or Hand(), verbose=lambda: False, waits=lambda _: True)


def test_what_a_client_calls_its_request_can_move_no_cursor_and_fill_no_disk(lines: Lines) -> None:
    fail(quiet_log(), batch(1, request(1, "\x1b[2Jgone\n" + "x" * 1_000_000)))
    (line,) = lines
    (shown,) = line["ids"]
    assert shown.isprintable()
    assert shown.startswith("\\x1b[2Jgone\\nxxx")
    assert len(shown) < 100


def test_a_line_names_so_many_requests_and_counts_the_others(lines: Lines) -> None:
    fail(quiet_log(), batch(1, *map(request, range(MOST_NAMED + 3))))
    (line,) = lines
    assert line["requests"] == list(range(MOST_NAMED))
    assert len(line["ids"]) == MOST_NAMED
    assert line["more_requests"] == 3


def test_a_storm_of_failures_does_not_fill_the_log(lines: Lines) -> None:
    clock = Hand()
    log = quiet_log(clock)
    for number in range(MOST_PER_S + 50):
        fail(log, batch(number, request(number)))
    assert len(lines) == MOST_PER_S
    clock.now += 1
    fail(log, batch(1000, request(1000)))
    fail(log, batch(1001, request(1001)))
    assert lines[-2]["left_out"] == 50
    assert "left_out" not in lines[-1]


def test_a_hedge_names_its_batch(lines: Lines) -> None:
    twin = batch(2, request(1), trigger="hedge")
    quiet_log().dispatched(twin, Placement(batch_id=2, node_id="b", policy="p", reason="r"))
    (line,) = lines
    assert (line["event"], line["batch"], line["requests"], line["node"]) == (
        "batch_hedged", 2, [1], "b",
    )  # fmt: skip


def test_nothing_is_remembered_of_what_is_over() -> None:
    log = quiet_log()
    members = [request(number) for number in range(3)]
    fail(log, batch(1, *members))
    again = batch(2, *members)
    log.dispatched(again, Placement(batch_id=2, node_id="b", policy="p", reason="r"))
    log.settled(ended(again, "completed", BatchTiming(input_ns=1, infer_ns=1, output_ns=1)))
    log.answered(members[0])
    log.refused(members[1], ExecutionFailedError("no"), 0.1)
    log.answered(members[2])
    assert log.remembered == 0
