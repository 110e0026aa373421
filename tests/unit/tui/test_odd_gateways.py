"""A gateway of another version, or gone mad: legible, never a traceback."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from screen_text import screen_text
from still_top import StillTop, tell

from farm.client.operations import of_event
from farm.client.snapshots import of_snapshot
from farm.pb import farm_admin_pb2 as admin
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame

TEXTS = (
    "", "ready", "lost", "cordoned", "measured", "error", "pi-1", "pi-2", "[red]", "[/]", "$error",
    "\x1b[2J", "a\nb", "\0", "派" * 30, "x" * 500, "\u202e",
)  # fmt: skip
FLOATS = (0.0, -1.0, 0.5, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"))
BITS = {
    FieldDescriptor.CPPTYPE_INT32: 31,
    FieldDescriptor.CPPTYPE_INT64: 63,
    FieldDescriptor.CPPTYPE_UINT32: 32,
    FieldDescriptor.CPPTYPE_UINT64: 64,
}


def value(random: Random, field: FieldDescriptor) -> Any:
    kind = field.cpp_type
    if kind in BITS:
        highest = 2 ** BITS[kind] - 1
        return random.choice((0, 1, 2, highest, random.randint(0, highest)))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = random.choice(TEXTS)
        return text if field.type == FieldDescriptor.TYPE_STRING else text.encode()
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return random.random() < 0.5
    return random.choice(FLOATS)


def message(random: Random, kind: type[Message]) -> Any:
    """A message of a kind, with anything in its fields."""
    made = kind()
    for field in kind.DESCRIPTOR.fields:
        for _ in range(random.randint(0, 3 if field.is_repeated else 1)):
            inner = field.message_type and message(random, field.message_type._concrete_class)
            if field.is_repeated:
                getattr(made, field.name).append(inner or value(random, field))
            elif inner:
                getattr(made, field.name).CopyFrom(inner)
            else:
                setattr(made, field.name, value(random, field))
    return made


VIEWS: Sequence[Callable[[StillTop], None]] = (
    lambda app: app.action_go("overview"),
    lambda app: app.action_go("models"),
    lambda app: app.action_go("events"),
    lambda app: app.action_go("cost"),
    lambda app: app.open_node("pi-1"),
    lambda app: app.open_model("pi-2"),
)


@pytest.mark.parametrize("size", [(40, 12), (120, 30)])
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
