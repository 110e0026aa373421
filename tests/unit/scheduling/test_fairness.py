"""Clients take turns: nobody waits for long behind somebody else's flood, or loses a request."""

import sys
from collections import Counter

import pytest
from harness import FLAT, OTHER, SCALE, Driver, MakeDriver, joined, request, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.models import ModelKey
from farm.core.requests import InferenceRequest
from farm.scheduling.effects import DispatchBatch
from farm.scheduling.events import ModelChanged, RequestArrived, RequestCancelled
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.queue import Queues
from farm.scheduling.tickets import Ticket, ticket
from farm.scheduling.turns import Turns

SPECS = {SCALE: spec(), OTHER: spec(OTHER)}
CLIENTS = ("a", "b", "c", "d")
BIG = 1 << 40


def flood(client: str, ids: range, **options: float) -> list[RequestArrived]:
    return [RequestArrived(request(id_, client=client, **options)) for id_ in ids]  # type: ignore[arg-type]


def served(driver: Driver) -> list[str]:
    """Whose requests were dispatched, in order."""
    effects = (effect for step in driver.history for effect in step.effects)
    batches = (effect.batch for effect in effects if isinstance(effect, DispatchBatch))
    return [member.client for batch in batches for member in batch.members]


def run_all(driver: Driver) -> None:
    while driver.referee.flights:
        driver.finish(min(driver.referee.flights))


# -- in the machine -----------------------------------------------------------------------


def test_a_newcomer_does_not_wait_for_a_flood(driver: Driver) -> None:
    driver.send(joined(curve=FLAT), *flood("greedy", range(1, 101)))
    driver.send(*flood("modest", range(101, 103)))
    run_all(driver)
    assert sorted(place for place, who in enumerate(served(driver)) if who == "modest") <= [3, 5]


def test_a_flood_at_one_model_does_not_hold_up_another(driver: Driver) -> None:
    driver.send(ModelChanged(OTHER, spec(OTHER)))
    driver.send(joined(curve=FLAT, models=(SCALE, OTHER)), *flood("greedy", range(1, 101)))
    driver.send(RequestArrived(request(101, model=OTHER, client="modest")))
    run_all(driver)
    assert served(driver).index("modest") <= 2


def test_a_batch_mixes_clients(driver: Driver) -> None:
    driver.send(*flood("greedy", range(1, 21)), *flood("modest", range(21, 24)))
    assert driver.send(joined())[0] == "dispatch #1 [1 21 2 22 3 23 4 5] to a"


def test_rows_count_not_requests(driver: Driver) -> None:
    driver.send(*flood("wide", range(1, 9), rows=4), *flood("narrow", range(9, 41)))
    driver.send(joined(curve=FLAT))
    run_all(driver)
    rows = Counter[str]()
    for who in served(driver)[:20]:
        rows[who] += 4 if who == "wide" else 1
    assert abs(rows["wide"] - rows["narrow"]) <= 4


def test_priority_comes_before_turns(driver: Driver) -> None:
    driver.send(*flood("greedy", range(1, 5), priority=1))
    driver.send(*flood("modest", range(5, 7), priority=2))
    assert driver.send(joined())[0] == "dispatch #1 [1 2 3 4 5 6] to a"


def test_requests_of_a_model_that_joins_none_take_turns_too(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(joins=False)))
    driver.send(*flood("greedy", range(1, 10)), *flood("modest", range(10, 12)))
    driver.send(joined(slots=4))
    assert served(driver) == ["greedy", "modest", "greedy", "modest"]
    run_all(driver)


def test_without_fairness_all_are_one(make_driver: MakeDriver) -> None:
    driver = make_driver(fair=False)
    driver.send(*flood("greedy", range(1, 9)), *flood("modest", range(9, 11)))
    assert driver.send(joined())[0] == "dispatch #1 [1 2 3 4 5 6 7 8] to a"


# -- room in the queue --------------------------------------------------------------------


def test_a_flood_leaves_room_for_others(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queue_size=8)
    driver.send(*flood("greedy", range(1, 11)))
    assert driver.machine.queued(SCALE) == 4
    error = driver.rejected()[10].error
    assert error.code == "queue_full"
    assert "for other clients" in error.message
    assert driver.send(*flood("modest", range(11, 13))) == []


def test_a_flood_of_bytes_leaves_room_for_others(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queued_bytes=64)
    driver.send(*flood("greedy", range(1, 11)))
    assert driver.machine.queued(SCALE) == 4
    assert driver.send(*flood("modest", range(11, 13))) == []


@settings(max_examples=50, deadline=None)
@given(arrivals=st.lists(st.sampled_from(CLIENTS), max_size=25), bound=st.integers(1, 12))
def test_whoever_has_nothing_waiting_is_let_in_while_there_is_room(
    arrivals: list[str], bound: int
) -> None:
    driver = Driver(SchedulingLimits(max_queue_size=bound))
    driver.send(ModelChanged(SCALE, spec()))
    for id_, client in enumerate(arrivals, start=1):
        waiting = driver.machine.queued(SCALE)
        known = {driver.referee.requests[other].client for other in driver.referee.waiting}
        refused = driver.send(*flood(client, range(id_, id_ + 1)))
        if client not in known:
            assert bool(refused) == (waiting == bound)
    assert driver.machine.queued(SCALE) <= bound


# -- whatever comes -----------------------------------------------------------------------


requests = st.lists(
    st.tuples(
        st.sampled_from(CLIENTS),
        st.sampled_from([1, 1, 1, 3, 8]),
        st.sampled_from([1, 1, 1, 2]),
        st.sampled_from([None, None, 5.0, 9.0]),
        st.sampled_from([SCALE, SCALE, OTHER]),
    ),
    max_size=40,
)
Given = list[tuple[str, int, int, float | None, ModelKey]]


def tickets(given_: Given) -> list[Ticket]:
    return [
        ticket(
            request(
                id_, client=client, rows=rows, priority=priority, deadline=deadline, model=model
            ),
            SPECS[model],
        )
        for id_, (client, rows, priority, deadline, model) in enumerate(given_, start=1)
    ]


def take_next(queues: Queues, rows: int = 1) -> list[Ticket]:
    """Take a batch from the lane that stands first, as the planner does."""
    lanes = [(lane.rank(), key, lane) for key, q in queues.by_model.items() for lane in q.lanes()]
    _, key, lane = min(lanes)
    return queues.take(key, lane, target_rows=rows, max_bytes=BIG)


@settings(max_examples=150, deadline=None)
@given(given_=requests, steps=st.lists(st.integers(0, 12), max_size=60))
def test_every_request_leaves_once_and_nothing_is_kept_of_those_that_left(
    given_: Given, steps: list[int]
) -> None:
    queues, left, cancelled = Queues(), list[int](), set[int]()
    coming = tickets(given_)
    waiting: dict[int, Ticket] = {}
    for step in steps:
        if step == 0 and waiting:
            gone = waiting.pop(max(waiting))
            queues.remove(gone)
            cancelled.add(gone.request.id)
        elif step % 2 and coming:
            entry = coming.pop(0)
            waiting[entry.request.id] = entry
            queues.push(entry)
        elif waiting:
            for entry in take_next(queues, step):
                left.append(entry.request.id)
                del waiting[entry.request.id]
        assert len(queues) == len(waiting)
        assert queues.size_bytes == sum(entry.size_bytes for entry in waiting.values())
        for client in CLIENTS:
            own = [entry for entry in waiting.values() if entry.request.client == client]
            assert queues.bytes_of(client) == sum(entry.size_bytes for entry in own)
            of_model = sum(entry.request.model == SCALE for entry in own)
            assert queues.waiting_of(SCALE, client) == of_model
    while queues.by_model:
        left += [entry.request.id for entry in take_next(queues)]
    accepted = set(range(1, len(given_) - len(coming) + 1))
    assert Counter(left) == Counter(accepted - cancelled)
    assert queues.size_bytes == 0
    assert all(queues.bytes_of(client) == 0 for client in CLIENTS)


@settings(max_examples=200, deadline=None)
@given(given_=requests, fair=st.booleans())
def test_one_client_alone_goes_by_priority_deadline_and_arrival(given_: Given, fair: bool) -> None:
    alone = [("only" if fair else client, *rest) for client, *rest in given_]
    queues = Queues(fair=fair)
    for entry in tickets(alone):  # type: ignore[arg-type]
        queues.push(entry)
    order = list[Ticket]()
    while queues.by_model:
        order += take_next(queues)
    assert [entry.urgency for entry in order] == sorted(entry.urgency for entry in order)


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    widths=st.lists(st.sampled_from([1, 2, 8]), min_size=5, max_size=5),
    taken=st.integers(0, 60),
    rows=st.sampled_from([1, 8]),
)
def test_a_newcomer_is_overtaken_by_no_more_than_a_turn_of_each(
    lengths: list[int], widths: list[int], taken: int, rows: int
) -> None:
    """However long the others' queues, and however many clients come in behind it."""
    queues = Queues()
    ids = iter(range(1, 10_000))
    for number, (length, width) in enumerate(zip(lengths, widths, strict=False)):
        for _ in range(length):
            queues.push(ticket(request(next(ids), client=f"c{number}", rows=width), spec()))
    for _ in range(taken):
        if queues.by_model:
            take_next(queues)
    newcomer = ticket(request(next(ids), client="newcomer", rows=rows), spec())
    queues.push(newcomer)
    before = Counter[str]()
    while queues.by_model:
        (entry,) = take_next(queues)
        if entry is newcomer:
            break
        before[entry.request.client] += entry.request.rows
        # A client that nobody knew comes for every one that goes.
        queues.push(ticket(request(next(ids), client=f"stranger {next(ids)}"), spec()))
    known = [count for who, count in before.items() if not who.startswith("stranger")]
    assert all(count <= rows + max(widths) for count in known)
    strangers = sum(count for who, count in before.items() if who.startswith("stranger"))
    assert strangers <= (rows + max(widths)) * (sum(lengths) + 1)


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.sampled_from([1, 2, 5]), min_size=2, max_size=4),
    batch=st.sampled_from([1, 4, 16]),
)
def test_clients_that_always_have_something_waiting_get_equal_shares(
    weights: list[int], batch: int
) -> None:
    queues = Queues()
    ids = iter(range(1, 100_000))

    def send(number: int) -> None:
        rows = weights[number]
        queues.push(ticket(request(next(ids), client=str(number), rows=rows), spec()))

    for number in range(len(weights)):
        for _ in range(batch + 1):
            send(number)
    got = Counter[str]()
    for _ in range(200):
        for entry in take_next(queues, batch):
            got[entry.request.client] += entry.request.rows
            send(int(entry.request.client))
    assert max(got.values()) - min(got.values()) <= 2 * max(weights)


def test_a_client_is_charged_the_time_that_its_model_takes() -> None:
    queues = Queues()
    for id_ in range(1, 11):
        queues.push(ticket(request(id_, client="heavy"), spec(), row_s=0.1))
    for id_ in range(11, 111):
        queues.push(ticket(request(id_, model=OTHER, client="light"), spec(OTHER), row_s=0.01))
    first = [take_next(queues)[0].request.client for _ in range(44)]
    assert Counter(first) == {"heavy": 4, "light": 40}


def test_turns_that_could_not_be_taken_are_not_made_up_for() -> None:
    """A client whose model had no node does not shut out the others once there is one."""
    queues = Queues()
    for id_ in range(1, 51):
        queues.push(ticket(request(id_, client="blocked"), spec()))
    for id_ in range(51, 151):
        queues.push(ticket(request(id_, model=OTHER, client="served"), spec(OTHER)))
    (lane,) = queues.by_model[OTHER].lanes()
    queues.take(OTHER, lane, target_rows=50, max_bytes=BIG)
    first = Counter(take_next(queues)[0].request.client for _ in range(20))
    assert abs(first["blocked"] - first["served"]) <= 2


def test_a_client_gains_nothing_by_going_away_and_coming_back() -> None:
    turns = Turns()
    steady = turns.enter("steady", cost_s=1.0, size_bytes=0)
    for _ in range(10):
        returning = turns.enter("returning", cost_s=1.0, size_bytes=0)
        assert returning.at >= steady.at
        turns.serve(steady, 1.0)
        turns.serve(returning, 1.0)
        turns.leave(returning, size_bytes=0)
    assert len(turns) == 1


def calls_per_request(clients: int, length: int) -> float:
    """How many calls the queue makes for a request, behind so many of so many clients."""
    queues, ids, calls = Queues(), iter(range(1, 1_000_000)), 0

    def push(client: int) -> None:
        queues.push(ticket(request(next(ids), client=str(client)), spec()))

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for client in range(clients):
        for _ in range(length):
            push(client)
    sys.setprofile(count)
    try:
        for number in range(500):
            push(number % clients)
            take_next(queues)
    finally:
        sys.setprofile(None)
    return calls / 500


@pytest.mark.parametrize(("clients", "length"), [(1, 5_000), (5_000, 1), (50, 100)])
def test_a_request_costs_the_same_in_a_long_queue(clients: int, length: int) -> None:
    assert calls_per_request(clients, length) < 1.5 * calls_per_request(min(clients, 4), 4)


@pytest.mark.parametrize("clients", [1, 50])
def test_requests_that_left_early_take_no_room(clients: int) -> None:
    queues = Queues()
    stays: list[InferenceRequest] = []
    for id_ in range(1, 5_001):
        entry = ticket(request(id_, client=str(id_ % clients), deadline=1e6 - id_), spec())
        queues.push(entry)
        if id_ % 100 == 0:
            stays.append(entry.request)
        else:
            queues.remove(entry)
    left = [take_next(queues)[0].request for _ in stays]
    assert sorted(left, key=lambda one: one.id) == stays
    assert not queues.by_model


def test_cancelling_a_flood_gives_the_queue_back(driver: Driver) -> None:
    driver.send(*flood("greedy", range(1, 101)), *flood("modest", range(101, 103)))
    driver.send(*(RequestCancelled(id_) for id_ in range(1, 101)))
    assert driver.send(joined())[0] == "dispatch #1 [101 102] to a"
