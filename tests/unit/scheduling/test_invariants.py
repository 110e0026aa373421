"""Properties that hold whatever happens, and the runs that try to break them."""

from collections.abc import Iterable, Mapping
from itertools import count
from math import isclose

import pytest
from draws import JOULES, LIMITS, NEWER, NODES, READY, SPECS, specs
from harness import (
    OTHER,
    PAYING,
    SCALE,
    SOLO,
    Driver,
    Ready,
    arrivals,
    calm,
    digest,
    joined,
    outputs_of,
    profile,
    request,
    spec,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from shelf import Shelf

from farm.core.errors import ErrorCode
from farm.core.models import (
    ModelKey,
    ModelSpec,
)
from farm.scheduling.effects import Effect, RejectRequest
from farm.scheduling.events import (
    ModelChanged,
    NodeChanged,
    NodeHeard,
    NodeJoined,
    NodeLost,
    NodeProbed,
    RequestArrived,
    RequestCancelled,
    TimerFired,
)
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.placement import POLICIES

# What policies that draw by lot draw from.
SEED = 7
# Longer than any ejection, and than all that ever waits takes on one slow node.
PATIENCE_S = 600.0


@settings(max_examples=60, deadline=None)
@given(members=st.integers(1, 8), data=st.data())
def test_cancelling_any_subset_of_a_batch_never_touches_its_mates(
    members: int, data: st.DataObject
) -> None:
    ids = range(1, members + 1)
    cancelled = data.draw(st.lists(st.sampled_from(ids), unique=True))
    driver = Driver()
    driver.send(ModelChanged(SCALE, spec()), joined(), *arrivals(*ids))
    assert [batch.members for batch, _, _ in driver.dispatched.values()] == [
        tuple(request(id_) for id_ in ids)
    ]
    for id_ in cancelled:
        lines = driver.send(RequestCancelled(id_))
        nobody_left = id_ == cancelled[-1] and len(cancelled) == members
        assert lines == [*(["cancel #1 at a"] if nobody_left else []), f"reject {id_} cancelled"]
    driver.finish(1)
    mates = set(ids) - set(cancelled)
    assert {id_: answer.outputs for id_, answer in driver.resolved().items()} == {
        id_: outputs_of(request(id_)) for id_ in mates
    }
    assert set(driver.rejected()) == set(cancelled)
    driver.check_nothing_left()


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    joules=st.floats(0.0, 1e6),
)
def test_joules_of_requests_sum_to_the_joules_of_their_batch(
    rows: list[int], joules: float
) -> None:
    driver = Driver()
    together = [RequestArrived(request(id_, rows=n)) for id_, n in enumerate(rows, start=1)]
    driver.send(ModelChanged(SCALE, spec(max_batch_size=16)), joined(), *together)
    driver.finish(1, joules=joules)
    shares = [answer.receipt.energy for answer in driver.resolved().values()]
    known = [share for share in shares if share is not None]
    assert len(known) == len(rows)
    for name, whole in (("joules", joules), ("low", joules * 0.9), ("high", joules * 1.1)):
        assert isclose(sum(getattr(share, name) for share in known), whole, abs_tol=1e-12)
    for share, n in zip(known, rows, strict=True):
        assert isclose(share.joules, joules * n / sum(rows), abs_tol=1e-12)


def exactly(effects: Iterable[Effect]) -> list[object]:
    """Effects as values that compare: errors by what they say."""
    return [
        (e.request_id, e.error.code, e.error.message, e.error.retry_after_s)
        if isinstance(e, RejectRequest)
        else e
        for e in effects
    ]


class Runs(RuleBasedStateMachine):
    """Anything that can happen to a farm, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = count(1)
        self.incarnations = count(1)
        self.present: dict[str, str] = {}
        self.specs: dict[ModelKey, ModelSpec] = {}
        self.driver = Driver()

    @initialize(
        limits=st.sampled_from(LIMITS),
        policy=st.sampled_from(sorted(POLICIES)),
        ending=st.sampled_from(["wind down", "answer all", "settle"]),
        configured=st.none() | specs(SCALE),
        measured=st.sampled_from(READY),
        lookahead=st.integers(0, 1),
    )
    def start(
        self,
        limits: SchedulingLimits,
        policy: str,
        ending: str,
        configured: ModelSpec | None,
        measured: Ready,
        lookahead: int,
    ) -> None:
        self.policy = policy
        self.driver = Driver(limits, policy=POLICIES[policy](SEED))
        self.ending = ending
        self.serve(*SPECS.values())
        if configured is not None:
            self.serve(configured)
        for node_id, known in (("a", measured), ("b", READY[0])):
            self.join(node_id, True, known, 1, 1 + lookahead, 1 - lookahead, tuple(SPECS))

    # -- requests ---------------------------------------------------------------------

    @rule(
        model=st.sampled_from([SCALE, SCALE, OTHER, SOLO]),
        rows=st.lists(st.sampled_from([1, 1, 2, 4, 5]), min_size=1, max_size=6),
        width=st.sampled_from([2, 2, 3]),
        priority=st.sampled_from([1, 1, 2]),
        deadline_in=st.sampled_from([None, None, None, None, 6.0, 2.0, 0.3, 0.0]),
        queue_in=st.sampled_from([None, None, None, None, None, 6.0, 0.3]),
        client=st.sampled_from(["", "", "greta", "hugo"]),
    )
    def arrive(
        self,
        model: ModelKey,
        rows: list[int],
        width: int,
        priority: int,
        deadline_in: float | None,
        queue_in: float | None,
        client: str = "",
    ) -> None:
        now = self.driver.now
        served = self.specs.get(model, SPECS[model])
        (wanted,) = served.inputs
        self.driver.send(
            *(
                RequestArrived(
                    request(
                        next(self.ids),
                        model=model,
                        rows=n if served.batched else 1,
                        width=width if wanted.model_shape is None else 2,
                        name=wanted.name,
                        arrived_at=now,
                        priority=priority,
                        deadline=None if deadline_in is None else now + deadline_in,
                        queue_deadline=None if queue_in is None else now + queue_in,
                        client=client,
                    )
                )
                for n in rows
            )
        )

    @rule(model=st.sampled_from([SCALE, OTHER]), number=st.integers(1, 9))
    def arrive_plainly(self, model: ModelKey, number: int) -> None:
        self.arrive(model, [1] * number, 2, 1, None, None)

    @precondition(lambda self: self.driver.machine.accepted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        last = next(self.ids)
        chosen = data.draw(st.lists(st.integers(1, last), max_size=4, unique=True))
        self.driver.send(*(RequestCancelled(id_) for id_ in chosen))

    # -- nodes ------------------------------------------------------------------------

    @rule(
        node_id=st.sampled_from(NODES),
        restarted=st.booleans(),
        measured=st.sampled_from(READY),
        slots=st.sampled_from([1, 2, 4]),
        threads_per_slot=st.integers(1, 2),
        lookahead=st.integers(0, 1),
        models=st.sampled_from([tuple(SPECS), tuple(SPECS), tuple(SPECS), (OTHER, SOLO)]),
    )
    def join(
        self,
        node_id: str,
        restarted: bool,
        measured: Ready,
        slots: int,
        threads_per_slot: int,
        lookahead: int,
        models: tuple[ModelKey, ...],
    ) -> None:
        if restarted or node_id not in self.present:
            self.present[node_id] = f"i{next(self.incarnations)}"
        digests = {digest(key) for key in models} | ({NEWER} if SCALE in models else set())
        self.driver.send(
            NodeJoined(
                profile=profile(
                    node_id,
                    incarnation=self.present[node_id],
                    slots=slots,
                    threads_per_slot=threads_per_slot,
                    lookahead=lookahead,
                ),
                ready={name: curve for name, curve in measured.items() if name in digests},
            )
        )

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        node_id = data.draw(st.sampled_from(sorted(self.present)))
        del self.present[node_id]
        self.driver.send(NodeLost(node_id=node_id, reason="unplugged"))

    @rule(
        node_id=st.sampled_from(NODES),
        cordoned=st.sampled_from([None, False, False, True]),
        measured=st.sampled_from(
            [None, None, None, *READY, {digest(SCALE): None, NEWER: PAYING}, {}]
        ),
        joules=st.sampled_from([None, JOULES, {digest(OTHER): 1.0}, {}]),
    )
    def change(
        self,
        node_id: str,
        cordoned: bool | None,
        measured: Ready | None,
        joules: Mapping[str, float] | None = None,
    ) -> None:
        self.driver.send(
            NodeChanged(node_id=node_id, cordoned=cordoned, ready=measured, joules_per_row=joules)
        )

    @rule(
        seconds=st.integers(0, 6),
        alive=st.sampled_from([NODES, NODES, ("a", "b"), ("b", "c"), ("c",), ()]),
        speed=st.sampled_from([1.0, 1.0, 0.5, 0.1]),
    )
    def beat(self, seconds: int, alive: tuple[str, ...], speed: float) -> None:
        """Some nodes are heard, now and after each of the next seconds."""
        for _ in range(seconds + 1):
            self.driver.send(
                *(
                    NodeHeard(node_id=node_id, incarnation=self.present[node_id], speed=speed)
                    for node_id in alive
                    if node_id in self.present
                )
            )
            if seconds:
                self.driver.advance_to(self.driver.now + 1)

    @precondition(lambda self: any(s.probed_until for s in self.driver.referee.seats.values()))
    @rule(ok=st.sampled_from([True, True, False]))
    def end_probes(self, ok: bool) -> None:
        asked = [s for s in self.driver.referee.seats.values() if s.probed_until is not None]
        for seat in asked:
            node_id, incarnation = seat.identity
            self.driver.send(NodeProbed(node_id=node_id, incarnation=incarnation, ok=ok))

    @precondition(lambda self: not self.driver.machine.inflight)
    @rule(restarted=st.booleans())
    def recover(self, restarted: bool) -> None:
        self.serve(*(self.specs.get(key, spec_) for key, spec_ in SPECS.items()))
        for node_id in NODES:
            self.join(node_id, restarted, READY[2], 1, 1, 1, tuple(SPECS))
            self.change(node_id, False, None)

    # -- batches ----------------------------------------------------------------------

    @precondition(lambda self: self.driver.machine.inflight)
    @rule(data=st.data(), joules=st.sampled_from([None, 0.0, 0.7]))
    def finish(self, data: st.DataObject, joules: float | None) -> None:
        self.driver.finish(self._flight(data), joules=joules)

    @precondition(lambda self: self.driver.machine.inflight)
    @rule(
        data=st.data(),
        code=st.sampled_from([ErrorCode.NODE_BUSY, ErrorCode.NODE_LOST, ErrorCode.UNREACHABLE]),
    )
    def fail(self, data: st.DataObject, code: ErrorCode) -> None:
        self.driver.fail(self._flight(data), code)

    @precondition(lambda self: self.driver.machine.inflight)
    @rule(data=st.data())
    def fail_for_good(self, data: st.DataObject) -> None:
        self.driver.fail(self._flight(data), ErrorCode.EXECUTION_FAILED, retryable=False)

    @precondition(lambda self: self.driver.machine.inflight)
    @rule(works=st.sampled_from([True, True, False]))
    def settle_all(self, works: bool) -> None:
        for batch_id in sorted(self.driver.referee.flights):
            if works:
                self.driver.finish(batch_id, joules=0.3)
            else:
                self.driver.fail(batch_id)

    @precondition(lambda self: len(self.driver.dispatched) > self.driver.machine.inflight)
    @rule(data=st.data(), works=st.booleans())
    def answer_late(self, data: st.DataObject, works: bool) -> None:
        flying = self.driver.referee.flights
        settled = [id_ for id_ in self.driver.dispatched if id_ not in flying]
        batch_id = data.draw(st.sampled_from(settled))
        if works:
            self.driver.finish(batch_id, joules=1.0)
        else:
            self.driver.fail(batch_id)

    def _flight(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.driver.referee.flights)))

    # -- time and models --------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0, 5.0]), punctual=st.booleans())
    def wait(self, seconds: float, punctual: bool) -> None:
        if punctual:
            self.driver.advance_to(self.driver.now + seconds)
        else:
            self.driver.now += seconds
            self.driver.send(TimerFired())

    @rule(key=st.sampled_from([SCALE, OTHER, SOLO]), served=st.sampled_from([True, True, False]))
    def change_model(self, key: ModelKey, served: bool) -> None:
        if served:
            self.serve(SPECS[key])
        else:
            self.specs.pop(key, None)
            self.driver.send(ModelChanged(key, None))

    @rule(newer=specs(SCALE) | specs(OTHER))
    def reload(self, newer: ModelSpec) -> None:
        self.serve(newer)

    def serve(self, *served: ModelSpec) -> None:
        self.specs |= {spec_.key: spec_ for spec_ in served}
        self.driver.send(*(ModelChanged(spec_.key, spec_) for spec_ in served))

    # -- what must hold ---------------------------------------------------------------

    @invariant()
    def counts_right(self) -> None:
        self.driver.check()

    def teardown(self) -> None:
        if not self.driver.sound:
            return
        if self.ending == "answer all":
            self._answer_all()
        elif self.ending == "settle":
            self._settle()
        else:
            self.driver.wind_down()
        self.driver.check_nothing_left()
        self._replay()

    def _answer_all(self) -> None:
        """With a sound node for everything, whatever still lives gets an answer."""
        everything = joined("rescue", slots=4, models=SPECS)
        self.driver.send(everything, *(ModelChanged(key, SPECS[key]) for key in SPECS))
        alive = set(self.driver.referee.unanswered)
        while flights := self.driver.referee.flights:
            self.driver.send(*(self.driver.finished(id_) for id_ in sorted(flights)))
        assert alive == alive & set(self.driver.resolved())

    def _settle(self) -> None:
        """With no more faults and one sound node, time alone brings every answer.

        Whoever is cordoned stays it, whoever is ejected is probed, and nodes that were given
        up come back.
        """
        driver = self.driver
        seats = driver.referee.seats
        if not seats:
            driver.send(joined("a", incarnation="sound"))
        everything = {spec_.digest: PAYING for spec_ in self.specs.values()}
        driver.send(NodeChanged(node_id=min(seats), cordoned=False, ready=everything))
        Shelf(driver).run(for_s=PATIENCE_S)
        assert not driver.referee.unanswered, "a request is forgotten"

    def _replay(self) -> None:
        """The same events at the same times have the same effects."""
        policy = POLICIES[self.policy](SEED)
        again = Driver(self.driver.limits, policy=policy).machine
        for step in self.driver.history:
            effects = again.handle_all(step.events, step.now)
            assert exactly(effects) == exactly(step.effects)


@pytest.mark.timeout(300)
def test_every_run_keeps_every_invariant() -> None:
    run_state_machine_as_test(
        Runs, settings=settings(max_examples=200, stateful_step_count=50, deadline=None)
    )


@settings(max_examples=40, deadline=None)
@given(
    others=st.lists(st.sampled_from(["b", "c"]), unique=True),
    members=st.integers(1, 6),
    reserve=st.integers(0, 4),
    deadline=st.sampled_from([None, 0.5, 2.0]),
)
def test_a_lost_nodes_requests_are_retried_elsewhere_in_time_and_within_the_budget(
    others: list[str], members: int, reserve: int, deadline: float | None
) -> None:
    ids = range(1, members + 1)
    driver = Driver(calm(retry_ratio=0.0, retry_reserve=reserve))
    driver.send(
        ModelChanged(SCALE, spec()),
        joined("a"),
        *(RequestArrived(request(id_, deadline=deadline)) for id_ in ids),
    )
    driver.send(*(joined(other, slots=8) for other in others))
    driver.now = 1.0
    driver.send(NodeLost(node_id="a", reason="unplugged"))
    reruns = {
        member.id: node_id
        for batch, node_id, _ in driver.dispatched.values()
        for member in batch.members
        if batch.id > 1
    }
    in_time = deadline is None or deadline > 1.0
    within_budget = set(list(ids)[:reserve])
    assert set(reruns) == (within_budget if in_time and others else set())
    assert set(reruns.values()) <= set(others)
    driver.wind_down()
    driver.check_nothing_left()
