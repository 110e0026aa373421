"""A gateway of another version, or gone mad: legible, never a traceback."""

from collections.abc import Callable, Sequence
from random import Random

import pytest
from odd_messages import TEXTS, message
from screen_text import screen_text
from scripted_operator import ScriptedOperator
from still_top import StillTop, tell
from textual.content import Content

from farm.client.operations import of_details, of_event, of_point
from farm.client.snapshots import of_snapshot
from farm.core.node_details import NodeDetails
from farm.pb import farm_admin_pb2 as admin
from tui.glyphs import glyphs
from tui.readings import curves, model_lines
from tui.screens import model as model_screen
from tui.screens import node as node_screen
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame
from tui.widgets.batches import batch_lines
from tui.widgets.curves import curve_lines

# By its own target: pages of screens take a while to paint.
pytestmark = pytest.mark.screen

NAME = "pi-1"
SIZES = [(40, 12), (120, 30)]


VIEWS: Sequence[Callable[[StillTop], None]] = (
    lambda app: app.action_go("overview"),
    lambda app: app.action_go("models"),
    lambda app: app.action_go("events"),
    lambda app: app.action_go("cost"),
    lambda app: app.open_node(NAME),
    lambda app: app.open_model("pi-2"),
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", range(len(VIEWS)))
async def test_whatever_a_gateway_says_is_shown(size: tuple[int, int], view: int) -> None:
    random = Random(view)
    app = StillTop(LinkChanged(state=LinkState.UP))
    async with app.run_test(size=size) as pilot:
        VIEWS[view](app)
        await pilot.pause()
        for _ in range(25):
            snapshot = message(random, admin.FarmSnapshot)
            event = message(random, admin.FarmEvent)
            await tell(
                pilot,
                LinkChanged(state=LinkState.UP, detail=random.choice(TEXTS)),
                SnapshotCame(snapshot=of_snapshot(snapshot)),
                EventsCame(events=(of_event(event),)),
            )
            assert app.is_running, snapshot
            assert screen_text(app)


class OddOperator(ScriptedOperator):
    """Answers anything, something else each time."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.asked = 0
        self.points = [of_point(message(random, admin.HistoryPoint)) for _ in range(50)]
        self._nodes = [message(random, admin.DescribeNodeResponse) for _ in range(20)]
        self._models = [message(random, admin.ModelDescription) for _ in range(20)]

    def describe_node(self, _: str) -> NodeDetails:
        self.asked += 1
        return of_details(self._nodes[self.asked % 20])

    def describe(self, _: str) -> Sequence[admin.ModelDescription]:
        self.asked += 1
        return [self._models[self.asked % 20]]


async def test_whatever_is_told_of_a_node_or_a_model_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, every in ((node_screen, "_DETAILS_S"), (model_screen, "_DESCRIBE_S")):
        monkeypatch.setattr(module, every, 0.3)
    random = Random(11)
    operator = OddOperator(random)
    app = StillTop(LinkChanged(state=LinkState.UP), operator=operator)
    async with app.run_test(size=(200, 60)) as pilot:
        for open_one in (app.open_node, app.open_model):
            open_one(NAME)
            asked_before = operator.asked
            for _ in range(6):
                snapshot = message(random, admin.FarmSnapshot)
                for node in snapshot.nodes:
                    node.node_id = NAME
                for model in snapshot.models:
                    model.name = NAME
                await tell(pilot, SnapshotCame(snapshot=of_snapshot(snapshot)))
                await pilot.press("tab", "z")
                assert "cannot be understood" not in screen_text(app)
            assert operator.asked > asked_before


def test_all_of_it_can_be_put_into_words() -> None:
    random, symbols = Random(3), glyphs(ascii_only=False)
    for _ in range(200):
        details = of_details(message(random, admin.DescribeNodeResponse))
        version = message(random, admin.ModelDescription)
        told = [*batch_lines(details, 0), *map(Content, model_lines.facts(version))]
        told += map(Content, model_lines.tensors(version))
        on_node = [curves.of_node(model) for model in details.models]
        for curve in (*filter(None, on_node), *curves.of_version(version)):
            told += curve_lines(curve, symbols, 0)
        assert not [line for line in told if "\x1b" in line.plain or "\n" in line.plain]
