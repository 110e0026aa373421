"""Whatever a gateway of another version, or a broken one, says of nodes can be read."""

import math
from dataclasses import replace

from farm_readings import node, snapshot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot, NodeWork
from tui.export import ExportFormat
from tui.glyphs import glyphs
from tui.readings.alerts import alerts
from tui.readings.columns import COLUMNS
from tui.readings.headline import headline
from tui.readings.node_filters import parsed
from tui.readings.node_history import joined
from tui.readings.reading import Reader
from tui.readings.rows import cells, ordered
from tui.readings.sheets import history as of_history

COUNTS = st.integers(0, (1 << 64) - 1)
WORK = st.builds(
    NodeWork,
    answers_total=COUNTS,
    batches_total=COUNTS,
    rows_total=COUNTS,
    failures_total=COUNTS,
    compute_s=st.floats(),
    joules=st.floats(),
)
NODES = st.lists(
    st.builds(
        node,
        st.text(),
        state=st.sampled_from(NodeState),
        reason=st.text(),
        cpu_fraction=st.floats(),
        temperature_c=st.none() | st.floats(),
        throttle_flags=st.none() | st.integers(0, (1 << 32) - 1),
        watts=st.none() | st.floats(),
        meter_fault=st.text(),
        heartbeat_age_s=st.floats(),
        slots_busy=st.integers(0, (1 << 32) - 1),
        work=WORK,
    ),
    max_size=4,
)


LONG = "x" * 100_000
HUGE = node(LONG, reason=LONG, meter_fault=LONG, watts=1e300, heartbeat_age_s=-1e300)


@settings(deadline=None)
@given(NODES, NODES)
@example([HUGE], [HUGE, node(f"{LONG}2", cpu_fraction=math.nan, temperature_c=math.inf)])
def test_any_nodes_can_be_read(before: list[NodeSnapshot], after: list[NodeSnapshot]) -> None:
    reader, signs = Reader(), glyphs(False)
    reader.read(snapshot(0, nodes=tuple(before)))
    reading = reader.read(snapshot(1, nodes=tuple(after)))
    for alert in alerts(reading):
        assert alert.text
    for line in headline(reading, signs, width=80, lines=3):
        assert sum(cell_len(text) for text, _ in line) <= 80
    for column in COLUMNS:
        rows = ordered(list(reading.nodes.values()), column)
        assert len(rows) == len(reading.nodes)
        for row in rows:
            for text, _ in cells(row, [(each, each.width) for each in COLUMNS], signs):
                assert text.isprintable() or row.node.node_id == text
    wanted = parsed("load>5 !temp<3 watts>=1 pi")
    for each in reading.nodes.values():
        wanted.takes(each)


@settings(deadline=None)
@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=5))
@example([0, 4_102_444_800_000_000_000, -1, (1 << 63) - 1])
def test_a_farm_may_have_any_clock(moments: list[int]) -> None:
    reader = Reader()
    for taken_unix_ns in moments:
        told = replace(snapshot(nodes=(node(),)), taken_unix_ns=taken_unix_ns)
        reading = reader.read(told)
        history = joined((), reading.nodes["pi-01"].trends)
        assert list(history.unix_ns) == sorted(set(history.unix_ns))
        assert of_history(history).text(ExportFormat.CSV)
        assert reading.rates.requests_per_s >= 0
