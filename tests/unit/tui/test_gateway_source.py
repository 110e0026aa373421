"""Following a gateway: it goes away, hangs, is older or newer, and comes back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Condition, Event, Thread

import grpc
import pytest
from followed_source import followed
from free_ports import free_address
from screen_gateway import WAIT_S, ScreenGateway, served

from farm.client import AdminClient
from farm.core.errors import ConfigurationError, FarmError
from farm.pb import farm_admin_pb2 as admin
from tui.sources.connection import Connection
from tui.sources.gateway import GatewaySource
from tui.sources.gateway_operator import GatewayOperator
from tui.sources.recorder import Recorder
from tui.sources.replay import Replay
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame, Tap, Update


class Told:
    """What a source told so far."""

    def __init__(self) -> None:
        self._updates: list[Update] = []
        self._changed = Condition()

    def tell(self, update: Update) -> None:
        with self._changed:
            self._updates.append(update)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[list[Update]], bool]) -> list[Update]:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self._updates), WAIT_S), self._updates
            return list(self._updates)

    def link(self, state: LinkState, times: int = 1) -> LinkChanged:
        """Wait until a state was told so many times; return the last of them."""

        def links(updates: list[Update]) -> list[LinkChanged]:
            return [u for u in updates if isinstance(u, LinkChanged) and u.state is state]

        return links(self.wait_for(lambda updates: len(links(updates)) >= times))[-1]

    def numbers(self, count: int) -> list[int]:
        """Wait for so many events; return their numbers."""

        def numbers(updates: list[Update]) -> list[int]:
            return [e.number for u in updates if isinstance(u, EventsCame) for e in u.events]

        return numbers(self.wait_for(lambda updates: len(numbers(updates)) >= count))


@contextmanager
def following(
    connection: Connection, *, tap: Tap | None = None, silent_s: float = WAIT_S
) -> Iterator[Told]:
    told, stop = Told(), Event()
    source = GatewaySource(
        connection, tap=tap, interval_s=0.05, silent_s=silent_s, first_wait_s=0.05
    )
    thread = Thread(target=source.follow, args=(told.tell, stop))
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()


def connection_to(address: str) -> Connection:
    return Connection(address, lambda: AdminClient(address))


@pytest.fixture
def gateway() -> ScreenGateway:
    return ScreenGateway()


def test_snapshots_and_events_are_told(gateway: ScreenGateway) -> None:
    gateway.happen(1)
    with served(gateway) as address, following(connection_to(address)) as told:
        assert told.link(LinkState.UP).detail == ""
        updates = told.wait_for(lambda us: any(isinstance(u, SnapshotCame) for u in us))
        (snapshot, *_) = [u.snapshot for u in updates if isinstance(u, SnapshotCame)]
        assert snapshot.farm_name == "shelf"
        assert told.numbers(1) == [1]


def test_a_gateway_that_comes_back_is_found_and_its_events_go_on(gateway: ScreenGateway) -> None:
    gateway.happen(1)
    address = free_address()
    with ExitStack() as first, following(connection_to(address)) as told:
        first.enter_context(served(gateway, address))
        told.numbers(1)
        gateway.end()
        assert "next try in" in told.link(LinkState.DOWN).detail
        first.close()
        assert "no answer from" in told.link(LinkState.DOWN, times=3).detail
        gateway.ended = False
        with served(gateway, address):
            told.link(LinkState.UP, times=2)
            gateway.happen(2)
            assert told.numbers(2) == [1, 2]
            assert gateway.asked_after[-1] == 1


def test_another_gateway_counts_its_events_from_the_first(gateway: ScreenGateway) -> None:
    gateway.happen(7)
    with served(gateway) as address, following(connection_to(address)) as told:
        told.numbers(1)
        gateway.end()
        told.link(LinkState.DOWN)
        gateway.snapshot = admin.FarmSnapshot(gateway_began_unix_ns=2)
        gateway.events.clear()
        gateway.ended = False
        gateway.happen(1)
        assert told.numbers(2) == [7, 1]


def test_a_gateway_that_hangs_is_down(gateway: ScreenGateway) -> None:
    with served(gateway) as address, following(connection_to(address), silent_s=0.5) as told:
        told.link(LinkState.UP)
        gateway.silent = True
        assert "says nothing any more" in told.link(LinkState.DOWN).detail
        gateway.silent = False
        told.link(LinkState.UP, times=2)


def test_another_protocol_is_told_and_gone_on_with(gateway: ScreenGateway) -> None:
    gateway.version = admin.VersionResponse(farm_version="99.0", protocol=7)
    with served(gateway) as address, following(connection_to(address)) as told:
        assert "(99.0) speaks protocol 7, this screen 1" in told.link(LinkState.UP).detail
        told.wait_for(lambda us: any(isinstance(u, SnapshotCame) for u in us))


def test_a_gateway_that_knows_no_events_is_followed_without(gateway: ScreenGateway) -> None:
    class Old:
        Version = staticmethod(gateway.Version)
        WatchSnapshots = staticmethod(gateway.WatchSnapshots)

    with served(Old()) as address, following(connection_to(address)) as told:
        assert "tells no events" in told.link(LinkState.UP, times=2).detail
        told.wait_for(lambda us: isinstance(us[-1], SnapshotCame))


def test_what_is_no_gateway_is_said_to_be_none() -> None:
    with served(object()) as address, following(connection_to(address)) as told:
        assert "is no gateway of a farm" in told.link(LinkState.DOWN).detail


def test_a_refusal_is_told_in_its_own_words(gateway: ScreenGateway) -> None:
    def refuse(_: object, context: grpc.ServicerContext) -> admin.VersionResponse:
        context.set_trailing_metadata((("farm-error-code", "permission_denied"),))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "operators alone may watch")
        raise AssertionError("abort raises")

    gateway.Version = refuse  # type: ignore[method-assign]
    with served(gateway) as address, following(connection_to(address)) as told:
        assert "operators alone may watch" in told.link(LinkState.DOWN).detail


def test_a_certificate_that_cannot_be_read_is_told_too() -> None:
    def dial() -> AdminClient:
        raise ConfigurationError("ca.pem cannot be read")

    with following(Connection("127.0.0.1:9", dial)) as told:
        assert "ca.pem cannot be read" in told.link(LinkState.DOWN).detail


def test_a_defect_is_told_and_nothing_raises() -> None:
    def dial() -> AdminClient:
        raise RuntimeError("odd")

    with following(Connection("127.0.0.1:9", dial)) as told:
        assert "cannot be understood: RuntimeError('odd')" in told.link(LinkState.DOWN).detail


def test_a_tap_is_given_what_came_as_it_came(gateway: ScreenGateway) -> None:
    class Kept:
        fault = ""

        def __init__(self) -> None:
            self.messages: list[object] = []

        def snapshot(self, message: admin.FarmSnapshot) -> None:
            self.messages.append(message)

        def events(self, message: admin.WatchEventsResponse) -> None:
            self.messages.append(message)

    gateway.happen(3)
    kept = Kept()
    with served(gateway) as address, following(connection_to(address), tap=kept) as told:
        told.numbers(1)
        assert told.link(LinkState.UP).detail == ""
        kept.fault = "the disk is full"
        assert told.link(LinkState.UP, times=2).detail == "the disk is full"
    assert gateway.snapshot in kept.messages
    assert admin.WatchEventsResponse(events=gateway.events) in kept.messages


def test_a_recording_tells_the_events_that_were_seen(
    gateway: ScreenGateway, tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path / "a")
    gateway.happen(1)
    with served(gateway) as address, following(connection_to(address), tap=recorder) as told:
        told.numbers(1)
        gateway.happen(2)
        gateway.happen(3)
        told.numbers(3)
    recorder.close()
    replay = Replay(tmp_path / "a", speed=64)
    assert told.numbers(3) == [1, 2, 3]
    with followed(replay) as watched:
        watched.until(lambda: watched.ended)
        replay.skip(-1e9)
        replay.skip(1e9)
        watched.until(lambda: watched.jumps > 0 and watched.ended)
    assert [event.number for event in watched.store.events] == [1, 2, 3]


def test_the_operator_acts_over_the_same_connection(gateway: ScreenGateway) -> None:
    def act(request: admin.NodeActionRequest, _: object) -> admin.NodeActionResponse:
        return admin.NodeActionResponse(
            node=admin.NodeSnapshot(node_id=request.node_id, reason=request.action)
        )

    gateway.NodeAction = act  # type: ignore[attr-defined]
    with served(gateway) as address:
        connection = connection_to(address)
        node = GatewayOperator(connection).restart("pi-01")
        connection.drop()
    assert isinstance(node, admin.NodeSnapshot)
    assert (node.node_id, node.reason) == ("pi-01", "restart")


def test_no_call_of_the_operator_outlives_the_screen(gateway: ScreenGateway) -> None:
    asked, over = Event(), Event()

    def act(*_: object) -> admin.NodeActionResponse:
        asked.set()
        assert over.wait(WAIT_S)
        return admin.NodeActionResponse()

    gateway.NodeAction = act  # type: ignore[attr-defined]
    failures: list[FarmError] = []

    def cordon() -> None:
        try:
            GatewayOperator(connection).cordon("pi-01")
        except FarmError as error:
            failures.append(error)

    with served(gateway) as address:
        connection = connection_to(address)
        with following(connection) as told:
            told.link(LinkState.UP)
            call = Thread(target=cordon)
            call.start()
            assert asked.wait(WAIT_S)
        call.join(WAIT_S)
        assert not call.is_alive()
        over.set()
    assert len(failures) == 1
