"""A gateway's snapshots and events, connected again and again."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from farm.core.admin_protocol import ADMIN_PROTOCOL
from farm.core.errors import FarmError, UnsupportedError
from tui.sources.connection import Connection
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame, Tap, Update

if TYPE_CHECKING:
    from farm.client import AdminClient

INTERVAL_S: Final = 1.0
# A gateway that is connected and tells nothing for so long is hung, or its network is gone.
SILENT_S: Final = 5.0
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 5.0

# How soon a stop, an end or a silence is seen.
_LOOK_S: Final = 0.1
_LEAVE_S: Final = 1.0


@dataclass(slots=True)
class _Known:
    """Which events are known: of the gateway that began then, up to a number."""

    began_unix_ns: int = 0
    number: int = 0

    def meet(self, began_unix_ns: int) -> None:
        """Forget the events of a gateway that is not the one that began then."""
        if began_unix_ns != self.began_unix_ns:
            self.began_unix_ns, self.number = began_unix_ns, 0


class GatewaySource:
    """Follows a gateway; when that goes away it says so at once, and tries until it is back.

    `tap` is given all that it tells. The times are parameters for tests alone.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        tap: Tap | None = None,
        interval_s: float = INTERVAL_S,
        silent_s: float = SILENT_S,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._connection = connection
        self._tap = tap
        self._interval_s = interval_s
        self._silent_s = silent_s
        self._first_wait_s = first_wait_s
        self._known = _Known()

    @property
    def title(self) -> str:
        recorded = ", recorded" if self._tap is not None else ""
        return f"gateway {self._connection.address}{recorded}"

    def follow(self, tell: Callable[[Update], None], stop: Event) -> None:
        """Tell snapshots and events until `stop` is set; then end the operator's calls too."""
        wait_s = self._first_wait_s
        while not stop.is_set():
            session = _Session(self._connection, tell, self._known, self._tap, self._interval_s)
            why = session.attend(stop, self._silent_s)
            if stop.is_set():
                break
            if session.up.is_set():
                wait_s = self._first_wait_s
            # Shortened by up to half, so that screens do not come back together.
            pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311
            tell(LinkChanged(state=LinkState.DOWN, detail=f"{why}; next try in {pause_s:.1f} s"))
            stop.wait(pause_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        self._connection.drop()


class _Session:
    """One connection, from its beginning to its end; `up` is set by its first snapshot."""

    def __init__(
        self,
        connection: Connection,
        tell: Callable[[Update], None],
        known: _Known,
        tap: Tap | None,
        interval_s: float,
    ) -> None:
        self.up = Event()
        self._connection = connection
        self._tap = tap
        self._tell = tell
        self._known = known
        self._interval_s = interval_s
        self._over = Event()
        self._heard_at: float | None = None
        self._ended = ""
        self._notes: list[str] = []
        self._told: str | None = None
        self._client: AdminClient | None = None

    def attend(self, stop: Event, silent_s: float) -> str:
        """Stay connected until that ends, or until `stop` is set; return why it ended."""
        threads = [
            Thread(target=self._run, args=(part,), daemon=True)
            for part in (self._watch, self._listen)
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(_LOOK_S):
                if self._ended:
                    return self._ended
                if self._heard_at is not None and monotonic() - self._heard_at > silent_s:
                    return f"{self._connection.address} says nothing any more"
            return ""
        finally:
            self._over.set()
            self._connection.drop()
            for thread in threads:
                thread.join(_LEAVE_S)

    def _run(self, part: Callable[[], None]) -> None:
        try:
            part()
        except FarmError as error:
            self._ended = error.message
        except Exception as error:
            self._ended = f"{self._connection.address} cannot be understood: {error!r}"

    def _watch(self) -> None:
        client = self._connection.client()
        # Not before: who dials says first how loud gRPC may be on this terminal, and imports the
        # client while others wait: threads that import parts of it at once see it half made.
        from farm.client.snapshots import of_snapshot

        self._heard_at = monotonic()
        self._notes.extend(self._greet(client))
        for message in client.watch(self._interval_s):
            if self._over.is_set():
                return
            self._heard_at = monotonic()
            if self._tap is not None:
                self._tap.snapshot(message)
            snapshot = of_snapshot(message)
            self._tell_link()
            if not self.up.is_set():
                self._known.meet(snapshot.gateway_began_unix_ns)
                self._client = client
                self.up.set()
            self._tell(SnapshotCame(snapshot=snapshot))
        self._ended = f"{self._connection.address} ended its answer"

    def _tell_link(self) -> None:
        """Tell that the link is up, and anew when there is something else to be said of it."""
        fault = self._tap.fault if self._tap is not None else ""
        detail = "; ".join(filter(None, (*self._notes, fault)))
        if detail != self._told:
            self._told = detail
            self._tell(LinkChanged(state=LinkState.UP, detail=detail))

    def _greet(self, client: "AdminClient") -> Iterator[str]:
        """Yield what is to be said of the gateway's version."""
        try:
            version = client.version()
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{self._connection.address} is no gateway of a farm: it does not know the"
                " protocol of operators"
            ) from error
        if version.protocol != ADMIN_PROTOCOL:
            yield (
                f"the gateway ({version.farm_version}) speaks protocol {version.protocol}, this"
                f" screen {ADMIN_PROTOCOL}: some of what it tells may be missing"
            )

    def _listen(self) -> None:
        """Tell events, once there are snapshots."""
        while self._client is None:
            if self._over.is_set():
                return
            self.up.wait(_LOOK_S)
        from farm.client.operations import of_event

        try:
            for message in self._client.watch_events(self._known.number):
                if self._over.is_set():
                    return
                if self._tap is not None:
                    self._tap.events(message)
                events = tuple(map(of_event, message.events))
                if events:
                    self._known.number = events[-1].number
                self._tell(EventsCame(events=events, missed=message.missed))
        except UnsupportedError:
            self._notes.append("an older gateway: it tells no events")
        else:
            self._ended = f"{self._connection.address} ended its answer"
