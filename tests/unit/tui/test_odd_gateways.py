"""A gateway of another version, or gone mad: legible, never a traceback."""

import asyncio
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from screen_text import screen_text
from still_top import StillTop, tell

from farm.client.operations import of_event
from farm.client.snapshots import of_snapshot
from farm.pb import farm_admin_pb2 as admin
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame

TEXTS = st.one_of(
    st.sampled_from(["ready", "lost", "measured", "info", "pi-1", "[red]", "[/]", "\x1b[2J", "\n"]),
    st.text(max_size=12),
)
FLOATS = st.one_of(st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1e300]), st.floats())
INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def values(field: FieldDescriptor) -> "st.SearchStrategy[Any]":
    kind = field.cpp_type
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return st.one_of(st.integers(0, 3), st.integers(low, high), st.just(high))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return TEXTS if field.type == FieldDescriptor.TYPE_STRING else st.binary(max_size=4)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return FLOATS


@st.composite
def messages(draw: st.DrawFn, kind: type[Message]) -> Any:
    """Any message of a kind, whatever its fields hold."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        repeated = field.is_repeated
        for _ in range(draw(st.integers(0, 3 if repeated else 1))):
            if field.message_type is not None:
                inner = draw(messages(field.message_type._concrete_class))
                if repeated:
                    getattr(message, field.name).append(inner)
                else:
                    getattr(message, field.name).CopyFrom(inner)
            elif repeated:
                getattr(message, field.name).append(draw(values(field)))
            else:
                setattr(message, field.name, draw(values(field)))
    return message


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.lists(messages(admin.FarmSnapshot), min_size=1, max_size=6),
    st.lists(messages(admin.FarmEvent), max_size=3),
    TEXTS,
)
def test_whatever_a_gateway_says_is_shown(
    snapshots: list[admin.FarmSnapshot], events: list[admin.FarmEvent], detail: str
) -> None:
    async def show() -> None:
        app = StillTop(LinkChanged(state=LinkState.UP, detail=detail))
        async with app.run_test(size=(120, 30)) as pilot:
            await tell(pilot, EventsCame(events=tuple(map(of_event, events))))
            for message in snapshots:
                await tell(pilot, SnapshotCame(snapshot=of_snapshot(message)))
                assert "\x1b" not in screen_text(app)
            assert app.return_code is None

    asyncio.run(show())
