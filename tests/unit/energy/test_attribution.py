"""Whatever batches do, what is charged adds up to what the farm drew and cost."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import Band, EnergySource
from farm.core.ledger import Usage
from farm.core.models import ModelKey
from farm.core.requests import LedgerEntry
from farm.energy.attribution import Account, Settlement
from farm.energy.charges import Charge, FarmWindow, HostWindow
from farm.energy.joules import Joules

WINDOW_S = 10.0


def entry(batch_id: int, node_id: str = "a", *, outcome: str = "completed") -> LedgerEntry:
    return LedgerEntry(
        batch_id=batch_id,
        model=ModelKey("m", 1),
        digest="d",
        node_id=node_id,
        rows=1,
        requests=1,
        outcome=outcome,
        queue_s=0.0,
        compute_s=1.0,
        timing=None,
        energy=None,
    )


def joules(typical: float, source: EnergySource = EnergySource.MEASURED) -> Joules:
    return Joules.of(Band(typical * 0.9, typical, typical * 1.2), source)


def window(number: int = 0, /, **hosts: HostWindow) -> FarmWindow:
    return FarmWindow(
        start=number * WINDOW_S,
        end=(number + 1) * WINDOW_S,
        hosts=hosts,
        overhead=joules(20.0, EnergySource.ASSUMED),
        tariff=1e-7,
        capital=0.002,
    )


def host(energy_j: float, *, idle_w: float = 2.0, busy_core_s: float = 0.0) -> HostWindow:
    return HostWindow(energy=joules(energy_j), idle_w=idle_w, busy_core_s=busy_core_s)


def total(settlements: list[Settlement], account: Account) -> Charge:
    parts = [batch.charge for each in settlements for batch in each.batches]
    parts += [each.idle for each in settlements if each.idle is not None]
    return sum(parts, account.open_charge)


@dataclass(frozen=True)
class Run:
    """A batch: where, when it was sent, when it came back, for how long it ran, its threads."""

    host: str
    sent_at: float
    back_at: float
    ran_s: float
    threads: int


@st.composite
def runs(draw: st.DrawFn) -> list[Run]:
    found = []
    for _ in range(draw(st.integers(0, 12))):
        sent_at = draw(st.floats(0, 39))
        took_s = draw(st.floats(0, 25))
        found.append(
            Run(
                host=draw(st.sampled_from("abx")),
                sent_at=sent_at,
                back_at=sent_at + took_s,
                ran_s=draw(st.floats(0, 1)) * took_s,
                threads=draw(st.integers(1, 4)),
            )
        )
    return found


@settings(deadline=None)
@given(
    runs(),
    st.lists(
        st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(0, 40)), min_size=4, max_size=4
    ),
    st.floats(0, 15),
)
def test_every_joule_and_cent_is_charged_once(
    batches: list[Run], draws: list[tuple[float, float, float]], lag_s: float
) -> None:
    account = Account()
    moments = [(run.sent_at, 0, number) for number, run in enumerate(batches)]
    moments += [(run.back_at, 1, number) for number, run in enumerate(batches)]
    windows = [
        window(number, a=host(one, busy_core_s=busy), b=host(other, busy_core_s=busy))
        for number, (one, other, busy) in enumerate(draws)
    ]
    moments += [(each.end + lag_s, 2, number) for number, each in enumerate(windows)]
    settlements = []
    for at, what, number in sorted(moments):
        if what == 0:
            run = batches[number]
            account.dispatched(
                number, host=run.host, node_id=run.host, threads=run.threads, capacity=4, now=at
            )
        elif what == 1:
            account.returned(
                entry(number, batches[number].host), ran_s=batches[number].ran_s, now=at
            )
        else:
            settlements.append(account.close(windows[number]))
    charged = total(settlements, account)
    drawn = sum((each.energy for each in windows), Joules())
    for name in ("low", "typical", "high"):
        charged_j = getattr(charged.energy.band, name)
        assert charged_j == pytest.approx(getattr(drawn.band, name), rel=1e-9)
    assert charged.energy.measured == pytest.approx(drawn.measured, rel=1e-9)
    assert charged.cost == pytest.approx(sum(each.cost or 0.0 for each in windows), rel=1e-9)
    power_cost = sum(each.power_cost or 0.0 for each in windows)
    assert charged.power_cost == pytest.approx(power_cost, rel=1e-9)
    for batch in (batch for each in settlements for batch in each.batches):
        assert batch.charge.energy.band.low >= 0
        assert_same(batch.usage(), batch.charge)


def assert_same(usage: Usage, charge: Charge) -> None:
    """The quick way and the other one say the same."""
    energy = charge.energy
    assert (usage.low_j, usage.joules, usage.high_j) == pytest.approx(
        (energy.band.low, energy.band.typical, energy.band.high)
    )
    assert (usage.measured_j, usage.modelled_j) == pytest.approx((energy.measured, energy.modelled))
    assert usage.marginal_j == pytest.approx(charge.marginal.typical)
    assert (usage.node_s, usage.reference_s) == pytest.approx((charge.node_s, charge.core_s))
    assert usage.cost == (None if charge.cost is None else pytest.approx(charge.cost))
    power_cost = charge.power_cost
    assert usage.power_cost == (None if power_cost is None else pytest.approx(power_cost))


def close_with(*batches: tuple[str, float, int], **hosts: HostWindow) -> Settlement:
    """Close one window in which batches of (node, seconds, threads) ended."""
    account = Account()
    for number, (node, seconds, threads) in enumerate(batches):
        account.dispatched(
            number, host=node, node_id=node, threads=threads, capacity=4, now=8.0 - seconds
        )
        account.returned(entry(number, node), ran_s=seconds, now=8.0)
    return account.close(window(**hosts))


def test_what_is_above_idle_is_the_batches_by_thread_seconds() -> None:
    one, two = close_with(("a", 2.0, 1), ("a", 3.0, 2), a=host(60.0, busy_core_s=8.0)).batches
    assert one.charge.marginal.typical == pytest.approx(10.0)
    assert two.charge.marginal.typical == pytest.approx(30.0)


def test_a_host_that_others_keep_busy_charges_batches_for_their_own_cpu_time_alone() -> None:
    (batch,) = close_with(("a", 2.0, 1), a=host(60.0, busy_core_s=20.0)).batches
    assert batch.charge.marginal.typical == pytest.approx(4.0)
    assert batch.charge.base.typical == pytest.approx(56.0 + 20.0)


def test_idle_hosts_and_overhead_are_spread_by_node_seconds() -> None:
    one, two = close_with(("a", 2.0, 4), ("a", 4.0, 4), a=host(20.0), b=host(40.0)).batches
    assert one.charge.base.typical == pytest.approx(80.0 / 3)
    assert two.charge.base.typical == pytest.approx(160.0 / 3)


def test_a_window_in_which_nothing_ran_keeps_its_joules() -> None:
    settlement = close_with(a=host(20.0))
    assert settlement.batches == ()
    assert settlement.rates is None
    assert settlement.idle is not None
    assert settlement.idle.energy.typical == pytest.approx(40.0)


def test_a_batch_that_runs_through_several_windows_is_charged_in_each() -> None:
    account = Account()
    account.dispatched(1, host="a", node_id="a", threads=4, capacity=4, now=5.0)
    first = account.close(window(0, a=host(100.0)))
    account.returned(entry(1), ran_s=8.0, now=13.0)
    second = account.close(window(1, a=host(50.0)))
    assert first.batches == ()
    (batch,) = second.batches
    assert batch.charge.energy.typical == pytest.approx(100.0 + 50.0 + 2 * 20.0)
    assert batch.charge.node_s == pytest.approx(8.0)


def test_each_window_charges_its_own_prices() -> None:
    account = Account()
    account.dispatched(1, host="a", node_id="a", threads=4, capacity=4, now=0.0)
    dear = replace(window(0, a=host(80.0)), tariff=2e-7, capital=None)
    boards_alone = replace(window(1, a=host(80.0)), tariff=None, capital=0.003)
    free = replace(window(2, a=host(80.0)), tariff=None, capital=None)
    account.close(dear)
    account.close(boards_alone)
    account.returned(entry(1), ran_s=30.0, now=30.0)
    ((batch,), idle) = account.close(free).batches, account.close(window(3)).idle
    assert batch.charge.cost == pytest.approx(100.0 * 2e-7 + 0.003)
    assert batch.charge.power_cost == pytest.approx(100.0 * 2e-7)
    assert_same(batch.usage(), batch.charge)
    assert idle is not None
    assert (idle.cost, idle.power_cost) == pytest.approx((20.0 * 1e-7 + 0.002, 20.0 * 1e-7))


def test_a_batch_that_was_turned_away_is_settled_for_nothing() -> None:
    account = Account()
    account.dispatched(1, host="a", node_id="a", threads=4, capacity=4, now=5.0)
    account.returned(entry(1, outcome="node_busy"), ran_s=0.0, now=5.1)
    settlement = account.close(window(0, a=host(100.0)))
    (batch,) = settlement.batches
    assert batch.charge.energy.typical == 0
    assert settlement.idle is not None


def test_a_sum_is_worth_what_its_weakest_part_is() -> None:
    (batch,) = close_with(("a", 2.0, 1), a=host(60.0)).batches
    assert batch.charge.marginal.source is EnergySource.MEASURED
    assert batch.charge.energy.source is EnergySource.ASSUMED


def test_a_lonely_request_and_a_crowd_are_told_apart() -> None:
    settlement = close_with(("a", 2.0, 4), a=host(60.0))
    rates = settlement.rates
    assert rates is not None
    own_j = settlement.batches[0].charge.marginal.typical / 2
    base_j = rates.base.typical
    alone, _ = rates.foretell("a", thread_s=4.0, node_s=1.0, elapsed_s=10.0, among_s=1.0)
    crowd, _ = rates.foretell("a", thread_s=4.0, node_s=1.0, elapsed_s=10.0, among_s=8.0)
    assert alone.joules == pytest.approx(own_j + base_j * 2 / 3)
    assert crowd.joules == pytest.approx(own_j + base_j * 2 / 10)


def test_another_window_like_the_last_is_foretold_as_it_was_charged() -> None:
    settlement = close_with(("a", 2.0, 2), ("b", 4.0, 4), a=host(60.0), b=host(90.0))
    assert settlement.rates is not None
    energy, cost = settlement.rates.foretell(
        "b", thread_s=16.0, node_s=4.0, elapsed_s=WINDOW_S, among_s=settlement.rates.node_s
    )
    charged = settlement.batches[1].charge
    assert (energy.low, energy.joules, energy.high) == pytest.approx(
        (charged.energy.band.low, charged.energy.typical, charged.energy.band.high)
    )
    assert energy.source is charged.energy.source
    assert cost == pytest.approx(charged.cost)
