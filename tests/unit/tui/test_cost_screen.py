"""The cost screen in terminals of every size, with books, without, and with a ledger that fails."""

from threading import Event

import pytest
from farm_costs import DAY_S, NOW_NS, Books
from farm_readings import snapshot
from screen_text import screen_text
from still_top import StillTop, until
from textual.pilot import Pilot

from farm.core.errors import UnreachableError
from farm.core.ledger import GroupBy, LedgerAnswer, LedgerQuery
from farm.core.snapshots import AnswerPrices
from tui.screens import cost
from tui.screens.cost import CostScreen
from tui.sources.source import SnapshotCame

PRICES = AnswerPrices(answers=1, cost=1.0, currency="EUR", baseline="gcp-cloud-run 2025-01-01")

WAIT_S = 10.0


def top(books: Books | None) -> StillTop:
    app = StillTop(SnapshotCame(snapshot=snapshot(prices=PRICES)), operator=books)  # type: ignore[arg-type]
    app.at_unix_ns = NOW_NS
    return app


async def opened(pilot: Pilot[None], said: str) -> CostScreen:
    screen = CostScreen()
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: said in screen_text(pilot.app))
    return screen


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_it_tells_what_a_thousand_requests_cost(size: tuple[int, int]) -> None:
    async with top(Books()).run_test(size=size) as pilot:
        await opened(pilot, "0.000259 EUR")
        await pilot.press("tab")
        await until(pilot, lambda: "gcp-cloud-run" in screen_text(pilot.app))


async def test_wide_it_shows_all_parts_and_the_baseline_of_receipts() -> None:
    async with top(Books()).run_test(size=(200, 60)) as pilot:
        await opened(pilot, "0.000259 EUR")
        for told in (
            "this farm (line), gcp-cloud-run (dashed)",
            "cheaper than gcp-cloud-run from",
            "now: 1,000,000 ^",
        ):
            await until(pilot, lambda told=told: told in screen_text(pilot.app))  # type: ignore[misc]


async def test_the_baseline_under_the_cursor_is_drawn() -> None:
    async with top(Books()).run_test(size=(200, 60)) as pilot:
        await opened(pilot, "gcp-cloud-run (dashed)")
        await pilot.press("tab", "down")
        await until(pilot, lambda: "azure-functions (dashed)" in screen_text(pilot.app))


async def test_a_key_changes_how_far_back_it_looks() -> None:
    books = Books()
    async with top(books).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "[24 h]")
        await until(pilot, lambda: books.asked)
        for words, seconds in (("[7 d]", 7 * DAY_S), ("[30 d]", 30 * DAY_S), ("[1 h]", 3_600)):
            books.asked.clear()
            await pilot.press("z")
            await until(pilot, lambda: books.asked)
            whole = books.asked[0]
            assert (whole.group, whole.until_unix_ns) == (GroupBy.TOTAL, NOW_NS)
            assert whole.until_unix_ns - whole.since_unix_ns == seconds * 1_000_000_000
            await until(pilot, lambda words=words: words in screen_text(pilot.app))  # type: ignore[misc]


async def test_figures_stand_under_their_own_period_until_those_of_another_come() -> None:
    answers = Event()

    class SlowBooks(Books):
        def ledger(self, query: LedgerQuery) -> LedgerAnswer:
            assert answers.wait(WAIT_S)
            return super().ledger(query)

    books = SlowBooks()
    answers.set()
    async with top(books).run_test(size=(200, 60)) as pilot:
        await opened(pilot, "0.000259 EUR")
        answers.clear()
        await pilot.press("z")
        assert "[24 h]" in screen_text(pilot.app)
        assert "asking for 7 d" in screen_text(pilot.app)
        books.error = UnreachableError("pi-head:8001 cannot be reached")
        answers.set()
        await until(pilot, lambda: "7 d: pi-head:8001 cannot be" in screen_text(pilot.app))
        assert "[24 h]" in screen_text(pilot.app)
        books.error = None
        await pilot.press("z")
        await until(pilot, lambda: "[30 d]" in screen_text(pilot.app))
        assert "asking" not in screen_text(pilot.app)


async def test_what_is_asked_again_moves_no_cursor_and_is_kept_while_the_gateway_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "_EVERY_S", 0.2)
    books = Books()
    async with top(books).run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot, "gcp-cloud-run (dashed)")
        await pilot.press("tab", "down")
        await until(pilot, lambda: "azure-functions (dashed)" in screen_text(pilot.app))
        books.asked.clear()
        await until(pilot, lambda: len(books.asked) > 8)
        assert "azure-functions (dashed)" in screen_text(pilot.app)
        books.error = UnreachableError("pi-head:8001 cannot be reached")
        await until(pilot, lambda: "pi-head:8001 cannot be reached" in screen_text(pilot.app))
        assert "as of" in screen_text(pilot.app)
        assert "0.000259 EUR" in screen_text(pilot.app)
        assert screen.is_current


async def test_a_gateway_that_is_away_is_told_in_words() -> None:
    books = Books(error=UnreachableError("pi-head:8001 cannot be reached: [bold]refused"))
    async with top(books).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "cannot be reached: [bold]refused")


async def test_without_a_gateway_it_says_why_it_is_empty() -> None:
    async with top(None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "does not hold this")
