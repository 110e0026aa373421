"""What batches took, from heartbeats and windows, to the ledger and to receipts."""

from dataclasses import replace

import pytest
from fake_pool import answer
from little_farm import BOARD, Book, LittleFarm, accounting, tensor, until

from farm.core.energy import EnergySource
from farm.core.errors import ErrorCode, FarmError
from farm.core.ledger import IncidentKind
from farm.core.models import ModelKey
from farm.core.nodes import NodeProfile, NodeVitals
from farm.core.requests import Batch, BatchTiming, InferenceRequest, LedgerEntry
from farm.energy.economics import Economics, HostEconomics
from farm.engine.accounting import Accounting
from farm.engine.dataplane import InferenceCall

KEY = ModelKey("m", 1)
SIX_TENTHS = BatchTiming(input_ns=0, infer_ns=600_000_000, output_ns=0)


class HandClock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def unix_ns(self) -> int:
        return round((1_700_000_000 + self.now) * 1e9)


class Shelf:
    """Accounting whose clock, heartbeats and batches a test makes up."""

    def __init__(self, economics: Economics | None = None, *, window_s: float = 10.0) -> None:
        self.clock = HandClock()
        self.book = Book()
        self.accounting: Accounting = accounting(
            self.book, clock=self.clock, economics=economics, window_s=window_s
        )
        self._batches = 0
        self._metered_s = 0.0

    def join(self, node_id: str, *, host: str = "") -> None:
        self.accounting.joined(
            NodeProfile(
                node_id=node_id,
                incarnation="1",
                host=host or node_id,
                slots=2,
                threads_per_slot=2,
                cores=4,
            )
        )

    def beat(
        self,
        *node_ids: str,
        seconds: int,
        cpu: float = 0.0,
        metered_w: float = 0.0,
        fault: str = "",
    ) -> None:
        for _ in range(seconds):
            self.clock.now += 1.0
            self._metered_s += 1.0
            for node_id in node_ids:
                self.accounting.heard(node_id, self._vitals(cpu, metered_w, fault))

    def _vitals(self, cpu: float, metered_w: float, fault: str) -> NodeVitals:
        return NodeVitals(
            incarnation="1",
            slots_busy=0,
            cpu_fraction=cpu,
            memory_total_bytes=0,
            memory_available_bytes=0,
            temperature_c=None,
            clock_hz=None,
            batches_total=0,
            rows_total=0,
            failures_total=0,
            digests=(),
            metered_j=metered_w * self._metered_s,
            metered_s=self._metered_s if metered_w else 0.0,
            meter="shelly",
            meter_fault=fault,
        )

    def batch(self, rows: int = 1) -> Batch:
        self._batches += 1
        member = InferenceRequest(id=1, model=KEY, inputs=(), rows=rows, arrived_at=0.0)
        return Batch(
            id=self._batches,
            model=KEY,
            digest="d",
            members=(member,),
            rows=rows,
            batched=True,
            formed_at=0.0,
            trigger="free_slot",
        )

    def entry(
        self, batch: Batch, node_id: str, ran_s: float, outcome: str = "completed"
    ) -> LedgerEntry:
        return LedgerEntry(
            batch_id=batch.id,
            model=KEY,
            digest="d",
            node_id=node_id,
            rows=batch.rows,
            requests=1,
            wasted=0,
            outcome=outcome,
            queue_s=0.0,
            compute_s=ran_s,
            timing=None,
            energy=None,
        )


def test_a_window_is_charged_to_what_ran_in_it() -> None:
    shelf = Shelf(Economics(overhead_w=3.0))
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.close_window(shelf.clock.now)
    batch = shelf.batch()
    shelf.accounting.dispatched(batch, "a")
    shelf.beat("a", seconds=8, cpu=0.5)
    shelf.accounting.returned(shelf.entry(batch, "a", 8.0))
    shelf.beat("a", seconds=2)
    shelf.accounting.close_window(shelf.clock.now)
    (record,) = shelf.book.settled
    # 2 W for 10 s, 2 W more for 8 s by the model, 3 W of overhead.
    assert record.usage.joules == pytest.approx(20 + 16 + 30)
    assert record.usage.marginal_j == pytest.approx(16)
    assert record.usage.modelled_j == pytest.approx(36)
    assert record.usage.measured_j == 0
    assert record.usage.node_s == pytest.approx(4.0)
    assert record.usage.cost is None
    assert record.settled_unix_ns == shelf.clock.unix_ns()


def test_a_meter_is_believed_and_its_loss_falls_to_the_model() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.beat("a", seconds=1, metered_w=5.0)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.beat("a", seconds=10, metered_w=5.0)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.beat("a", seconds=10)
    shelf.accounting.close_window(shelf.clock.now)
    _, measured, modelled = (idle.usage for idle in shelf.book.windows)
    assert (measured.joules, measured.measured_j) == pytest.approx((50, 50))
    assert (measured.low_j, measured.high_j) == pytest.approx((45, 55))
    assert (modelled.joules, modelled.measured_j, modelled.modelled_j) == pytest.approx((20, 0, 20))


def test_a_meter_that_is_lost_is_an_incident_once_each_time() -> None:
    shelf = Shelf()
    shelf.join("a", host="pi")
    shelf.join("b", host="pi")
    for fault in ("", "it does not answer", "it does not answer", "", "it answers with HTML"):
        shelf.beat("a", "b", seconds=1, fault=fault)
    told = [(incident.kind, incident.subject, incident.detail) for incident in shelf.book.incidents]
    assert told == [
        (IncidentKind.METER_LOST, node_id, fault)
        for fault in ("it does not answer", "it answers with HTML")
        for node_id in ("a", "b")
    ]


def test_nodes_of_one_host_share_what_it_draws() -> None:
    shelf = Shelf()
    shelf.join("a", host="pi")
    shelf.join("b", host="pi")
    shelf.beat("a", "b", seconds=1, metered_w=5.0)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.beat("a", "b", seconds=10, metered_w=5.0)
    shelf.accounting.close_window(shelf.clock.now)
    assert shelf.book.windows[-1].usage.joules == pytest.approx(50)


def test_a_silent_host_is_assumed_to_idle_or_to_be_off() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.clock.now += 10.0
    shelf.accounting.close_window(shelf.clock.now)
    usage = shelf.book.windows[-1].usage
    assert (usage.low_j, usage.joules, usage.high_j) == pytest.approx((0, 20, 30))
    assert usage.measured_j == usage.modelled_j == 0


def test_boards_cost_money_whether_they_are_used_or_not() -> None:
    year_s = 365.25 * 86_400
    economics = Economics(
        currency="EUR",
        tariff=lambda unix_s: 1e-6,
        hosts={"a": HostEconomics(price=year_s, lifetime_years=1.0)},
    )
    shelf = Shelf(economics)
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.beat("a", seconds=10)
    shelf.accounting.close_window(shelf.clock.now)
    assert shelf.book.windows[-1].usage.cost == pytest.approx(10 + 20e-6)


def test_receipts_are_reckoned_by_the_window_before() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.close_window(shelf.clock.now)
    batch = shelf.batch()
    shelf.accounting.dispatched(batch, "a")
    shelf.beat("a", seconds=10, cpu=0.5)
    shelf.accounting.returned(shelf.entry(batch, "a", 8.0))
    shelf.accounting.close_window(shelf.clock.now)
    completed = answer(small_batch(shelf), "a", "1")
    energy, cost = shelf.accounting.reckon(shelf.batch(), completed)
    # 6 microseconds on 2 of 4 threads; the base of the window was shared by 4 node-seconds.
    assert energy.joules == pytest.approx((16 / 16 * 2 + 24 / 4 / 2) * 6e-6, rel=1e-5)
    # Of the next window half has gone by, in which nobody else came.
    shelf.clock.now += 5.0
    energy, _ = shelf.accounting.reckon(shelf.batch(), completed)
    assert energy.joules == pytest.approx((16 / 16 * 2 + 1.5 * 24 / 4 / 2) * 6e-6, rel=1e-5)
    assert energy.low < energy.joules < energy.high
    assert cost is None


def small_batch(shelf: Shelf) -> Batch:
    batch = shelf.batch()
    member = InferenceRequest(id=1, model=KEY, inputs=(tensor(b"ab"),), rows=1, arrived_at=0.0)
    return Batch(
        id=batch.id,
        model=KEY,
        digest="d",
        members=(member,),
        rows=1,
        batched=True,
        formed_at=0.0,
        trigger="free_slot",
    )


def test_before_any_window_receipts_come_from_the_power_model() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.clock.now += 3.0
    energy, _ = shelf.accounting.reckon(shelf.batch(), answer(small_batch(shelf), "a", "1"))
    per_core = (BOARD.load.typical - BOARD.idle.typical) / 4
    # It is alone with what the host idled since the start, and a tenth of a second to begin with.
    assert energy.joules == pytest.approx(per_core * 2 * 6e-6 + BOARD.idle.typical * 3.1)


@pytest.mark.parametrize("window_s", [2.0, 10.0])
def test_under_steady_load_receipts_say_what_is_settled(window_s: float) -> None:
    shelf = Shelf(window_s=window_s)
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.begin()
    reckoned_j, began_at = 0.0, shelf.clock.now
    closed = 0
    for _ in range(60):
        batch = shelf.batch()
        shelf.accounting.dispatched(batch, "a")
        shelf.beat("a", seconds=1, cpu=0.3)
        shelf.accounting.returned(shelf.entry(batch, "a", 0.6))
        completed = replace(answer(small_batch(shelf), "a", "1"), timing=SIX_TENTHS)
        energy, _ = shelf.accounting.reckon(batch, completed)
        reckoned_j += energy.joules
        # Two seconds late, as in a gateway.
        if shelf.clock.now >= began_at + (closed + 1) * window_s + 2.0:
            closed += 1
            shelf.accounting.close_window(began_at + closed * window_s)
    shelf.accounting.finish()
    settled_j = sum(record.usage.joules for record in shelf.book.settled)
    assert reckoned_j == pytest.approx(settled_j, rel=0.05)


def test_a_node_that_did_not_run_lately_is_foretold_by_its_model() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.join("b")
    shelf.beat("a", "b", seconds=1)
    shelf.accounting.begin()
    batch = shelf.batch()
    shelf.accounting.dispatched(batch, "a")
    shelf.beat("a", "b", seconds=10, cpu=0.5)
    shelf.accounting.returned(shelf.entry(batch, "a", 8.0))
    shelf.accounting.close_window(shelf.clock.now)
    one, _ = shelf.accounting.reckon(batch, answer(small_batch(shelf), "a", "1"))
    other, _ = shelf.accounting.reckon(batch, answer(small_batch(shelf), "b", "1"))
    assert other.joules == pytest.approx(one.joules, rel=0.5)


def test_what_was_drawn_before_a_gateway_served_is_not_its_own() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.beat("a", seconds=20)
    shelf.accounting.begin()
    shelf.beat("a", seconds=10)
    shelf.accounting.finish()
    shelf.beat("a", seconds=30)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.accounting.finish()
    drawn = shelf.accounting.totals()
    assert drawn.modelled_j == pytest.approx(20.0)
    assert sum(window.window_s for window in shelf.book.windows) == pytest.approx(10.0)


def test_a_quiet_spell_does_not_keep_an_old_price() -> None:
    prices = {"now": 1e-6}
    shelf = Shelf(Economics(currency="EUR", tariff=lambda unix_s: prices["now"]))
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.begin()
    batch = shelf.batch()
    shelf.accounting.dispatched(batch, "a")
    shelf.beat("a", seconds=10, cpu=0.5)
    shelf.accounting.returned(shelf.entry(batch, "a", 8.0))
    shelf.accounting.close_window(shelf.clock.now)
    prices["now"] = 3e-6
    shelf.beat("a", seconds=10)
    shelf.accounting.close_window(shelf.clock.now)
    energy, cost = shelf.accounting.reckon(batch, answer(small_batch(shelf), "a", "1"))
    assert cost == pytest.approx(energy.joules * 3e-6)


def test_what_runs_at_the_end_is_nobodys() -> None:
    shelf = Shelf()
    shelf.join("a")
    shelf.beat("a", seconds=1)
    shelf.accounting.close_window(shelf.clock.now)
    shelf.accounting.dispatched(shelf.batch(), "a")
    shelf.beat("a", seconds=5, cpu=1.0)
    shelf.accounting.finish()
    assert shelf.book.settled == []
    kept_j = sum(idle.usage.joules for idle in shelf.book.windows)
    drawn = shelf.accounting.totals()
    assert kept_j == pytest.approx(drawn.modelled_j + drawn.assumed_j)


def test_a_host_shows_what_it_draws_now() -> None:
    shelf = Shelf()
    shelf.join("a")
    assert shelf.accounting.power("a") is None
    shelf.beat("a", seconds=2, cpu=1.0)
    power = shelf.accounting.power("a")
    assert power is not None
    assert (power.watts.typical, power.source) == (pytest.approx(6.0), EnergySource.MODELLED)
    assert shelf.accounting.power("unknown") is None


async def test_answers_carry_energy_and_requests_are_counted() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        result = await farm.dataplane.infer(
            InferenceCall(model="echo", version="", inputs=(tensor(b"ab"),), client="me")
        )
        assert result.receipt.energy is not None
        assert result.receipt.energy.joules > 0
        assert farm.book.requests == [(ModelKey("echo", 1), "me", None, None, 2, 3)]


async def test_only_a_deadline_that_was_named_can_be_met() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        call = InferenceCall(model="echo", version="", inputs=(tensor(b"ab"),), timeout_s=10.0)
        await farm.dataplane.infer(call)
        assert [request[3] for request in farm.book.requests] == [True]


async def test_an_error_is_counted_with_its_code() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        call = InferenceCall(model="echo", version="", inputs=(tensor(b"ab"),), timeout_s=0.01)
        with pytest.raises(FarmError):
            await farm.dataplane.infer(call)
        assert farm.book.requests == [
            (ModelKey("echo", 1), "", ErrorCode.DEADLINE_EXCEEDED, False, 2, 0)
        ]


async def test_a_node_that_goes_down_is_an_incident_once() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        farm.pool.kill("a")
        await until(lambda: farm.book.incidents)
        (incident,) = farm.book.incidents
        assert (incident.kind, incident.subject) == (IncidentKind.NODE_LOST, "a")
