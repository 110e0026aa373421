"""Curves for people to read."""

import pytest
from farm_readings import BEGINS

from farm.core.models import LatencyCurve, ModelKey
from farm.core.node_details import ModelOnNode
from farm.pb import farm_admin_pb2 as pb
from tui.glyphs import glyphs
from tui.readings.curves import of_node, of_version
from tui.widgets.curves import bar, correction, curve_lines

KEY = ModelKey("digits", 1)


def readiness(node_id: str, *, correction: float | None = None, at: int = 1) -> pb.NodeReadiness:
    made = pb.NodeReadiness(
        node_id=node_id, cpu_class="a76", board="Pi 5", measured_unix_ns=at, measured_on="pi-01"
    )
    if correction is not None:
        made.correction = correction
    made.splits.add(slots=4, threads=1, curve=[pb.CurvePoint(rows=2, seconds=0.01)], chosen=True)
    made.splits.add(slots=2, threads=2)
    return made


def test_a_node_has_the_curve_and_what_batches_really_take() -> None:
    curve = LatencyCurve(((1, 0.002), (8, 0.004)))
    told = of_node(ModelOnNode(model=KEY, ready=True, reason="", curve=curve, correction=1.5))
    assert told is not None
    (split,) = told.splits
    assert [point.really_s for point in split.points] == [
        pytest.approx(0.003),
        pytest.approx(0.006),
    ]
    assert split.points[1].rows_per_s == pytest.approx(2000)
    assert correction(told) == "batches really take 1.50 times as long"
    assert of_node(ModelOnNode(model=KEY, ready=False, reason="too large")) is None


def test_nodes_that_go_by_one_measurement_are_told_once() -> None:
    version = pb.ModelDescription(
        nodes=[
            readiness("pi-02", correction=1.5),
            readiness("pi-01", correction=1.25),
            readiness("pi-03", at=BEGINS),
            pb.NodeReadiness(node_id="pi-04", reason="too small"),
        ]
    )
    first, second = of_version(version)
    assert first.nodes == ("pi-02", "pi-01")
    assert correction(first) == "batches really take 1.25 to 1.50 times as long"
    assert [(split.slots, split.chosen) for split in first.splits] == [(4, True), (2, False)]
    assert first.splits[0].rows_per_s == pytest.approx(800)
    assert second.nodes == ("pi-03",)
    assert correction(second) == ""


def test_an_older_gateway_tells_no_splits() -> None:
    node = pb.NodeReadiness(node_id="pi-01", curve=[pb.CurvePoint(rows=1, seconds=0.5)])
    (curve,) = of_version(pb.ModelDescription(nodes=[node]))
    lines = [line.plain for line in curve_lines(curve, glyphs(ascii_only=True), 0)]
    assert lines[-1].split() == ["1", "500", "ms", "2.0", "#" * 16]


def test_a_curve_of_no_time_at_all_is_drawn_all_the_same() -> None:
    node = pb.NodeReadiness(node_id="pi-01", curve=[pb.CurvePoint(rows=1, seconds=0.0)])
    (curve,) = of_version(pb.ModelDescription(nodes=[node]))
    lines = [line.plain for line in curve_lines(curve, glyphs(ascii_only=False), 0)]
    assert lines[-1].split() == ["1", "0", "ms", "0"]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_bar_is_as_long_as_its_share(ascii_only: bool) -> None:
    symbols = glyphs(ascii_only=ascii_only)
    assert bar(0, 8, symbols) == ""
    assert bar(0.5, 8, symbols) == symbols.shades[-1] * 4
    assert bar(1, 8, symbols) == bar(7, 8, symbols) == symbols.shades[-1] * 8
