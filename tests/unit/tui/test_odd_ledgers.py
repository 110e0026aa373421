"""Whatever a gateway says of money, the cost screen makes something of it that can be shown."""

from datetime import UTC, date, datetime

from farm_costs import NOW_NS, Books
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import UnsupportedError
from farm.core.ledger import LATENCY_BOUNDS_S, LedgerFigures, RequestCounts, Usage
from farm.core.terms import FarmTerms, FxRate
from tui.glyphs import glyphs
from tui.readings import costs
from tui.widgets.pair_plot import plotted

MARKS = glyphs(ascii_only=False).sources
numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, float("inf"), float("nan")]), st.floats()
)
counts = st.sampled_from([0, 1, 1_000, 2**63, 2**64 - 1])
maybe = st.one_of(st.none(), numbers)
usages = st.builds(
    Usage,
    joules=numbers,
    low_j=numbers,
    high_j=numbers,
    measured_j=numbers,
    modelled_j=numbers,
    marginal_j=numbers,
    node_s=numbers,
    reference_s=numbers,
    cost=maybe,
    power_cost=maybe,
)
days = st.builds(
    LedgerFigures,
    start_unix_ns=st.sampled_from([0, NOW_NS, -1, 2**63 - 1]),
    key=st.text(max_size=3),
    window_s=numbers,
    batches=counts,
    rows=counts,
    usage=usages,
    wasted=usages,
    idle=usages,
    counts=st.builds(
        RequestCounts,
        answered=counts,
        failed=st.dictionaries(st.text(max_size=3), counts, max_size=2),
        in_time=counts,
        late=counts,
        request_bytes=counts,
        response_bytes=counts,
        latency_s=numbers,
        latencies=st.lists(
            counts, min_size=len(LATENCY_BOUNDS_S) + 1, max_size=len(LATENCY_BOUNDS_S) + 1
        ),
    ),
)
terms = st.builds(
    FarmTerms,
    nodes=counts,
    currency=st.sampled_from([None, "EUR", "USD", "", "\x1b[31m"]),
    price_per_kwh=maybe,
    capital_per_s=maybe,
    overhead_w=numbers,
    grid_gco2e_per_kwh=maybe,
    grid_source=st.text(max_size=5),
    embodied_g_per_s=maybe,
    untold_hosts=st.just(("pi\x1b[0m",)),
    fx=st.just(())
    | st.builds(
        lambda rate: (
            FxRate(sold="USD", bought="EUR", rate=rate, day=date(2026, 1, 1), source="[b]"),
        ),
        numbers,
    ),
)


@given(day=days, told=terms)
@settings(deadline=None, max_examples=60)
def test_odd_books_are_shown_or_refused_in_words(day: LedgerFigures, told: FarmTerms) -> None:
    books = Books(day=day, terms_told=told)
    try:
        found = costs.read_costs(
            books.ledger,
            books.terms,
            0,
            NOW_NS,
            farm="\x1b[0m",
            now=datetime(2026, 11, 22, tzinfo=UTC),
            marks=MARKS,
        )
    except UnsupportedError:
        return
    assert all(line.plain.isprintable() for line in found.lines)
    for compared in found.compared:
        assert all(cell.isprintable() for cell in compared.row)
        for pair in (compared.over_time, compared.break_even):
            for line in plotted(pair, 60, 12, ascii_only=False):
                assert all(text.isprintable() for text, _ in line)
    costs.exported(found.report).json_text()
