"""Joules a row, by which thrifty nodes are preferred."""

import pytest
from little_farm import LittleFarm, until

from farm.core.energy import Band, EnergySource
from farm.core.models import LatencyCurve, ModelKey
from farm.core.requests import LedgerEntry
from farm.energy.attribution import BatchAccount, Share
from farm.energy.charges import Rates
from farm.energy.joules import Joules
from farm.engine.thrift import Thrift


def settled(joules: float, *, rows: int = 2, outcome: str = "completed") -> BatchAccount:
    entry = LedgerEntry(
        batch_id=1,
        model=ModelKey("m", 1),
        digest="d",
        node_id="a",
        rows=rows,
        requests=1,
        outcome=outcome,
        queue_s=0.0,
        compute_s=1.0,
        timing=None,
        energy=None,
    )
    joule = Joules.of(Band.exactly(1.0), EnergySource.MEASURED)
    rates = Rates(seconds=10.0, marginal={"a": joule}, node_s=1.0)
    batch = BatchAccount("a", "a", 1, 1, 0.0, (Share(rates, joules),))
    batch.came_back(entry, ran_s=joules, now=joules)
    return batch


def test_what_was_never_run_is_foretold_by_its_curve() -> None:
    curve = LatencyCurve(((1, 0.010), (4, 0.020)), threads=2)
    known = Thrift().joules_per_row("a", {"d": curve, "e": None}, threads=1, core_second_j=1.5)
    assert known == {"d": pytest.approx(1.5 * 2 * 0.005)}


def test_batches_teach_what_a_row_takes() -> None:
    thrift = Thrift()
    thrift.settled(settled(4.0))
    thrift.settled(settled(8.0))
    thrift.settled(settled(1000.0, outcome="node_lost"))
    thrift.settled(settled(1000.0, rows=0))
    known = thrift.joules_per_row("a", {"d": None}, threads=1, core_second_j=1.5)
    assert known == {"d": pytest.approx(2.2)}


def test_what_a_node_does_not_hold_any_more_is_forgotten() -> None:
    thrift = Thrift()
    thrift.settled(settled(4.0))
    assert thrift.joules_per_row("a", {}, threads=1, core_second_j=1.5) == {}
    assert thrift.joules_per_row("a", {"d": None}, threads=1, core_second_j=1.5) == {}


async def test_the_machine_is_told_of_every_node_that_joins() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        node = farm.machine._state.nodes.get("a")
        assert node is not None
        farm.fleet.members["a"].ready = {"digest of echo:1": LatencyCurve(((1, 0.01),))}
        farm.fleet.tell_thrift()
        await until(lambda: node.joules_per_row)
        # BOARD takes 4 W more with its core busy.
        assert node.joules_per_row["digest of echo:1"] == pytest.approx(0.04)
