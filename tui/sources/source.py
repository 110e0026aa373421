"""What every source of the screen has in common."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from farm.core.events import FarmEvent
from farm.core.histories import HistoryPoint, LogLine
from farm.core.ledger import LedgerAnswer, LedgerQuery
from farm.core.node_details import NodeDetails
from farm.core.snapshots import FarmSnapshot
from farm.core.terms import FarmTerms

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import FarmSnapshot as SnapshotMessage
    from farm.pb.farm_admin_pb2 import ModelDescription, WatchEventsResponse


class LinkState(StrEnum):
    """Whether a source tells anything now."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged:
    """A source began or ceased to tell; `detail` is why, for a human."""

    state: LinkState
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCame:
    """The farm at one moment."""

    snapshot: FarmSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsCame:
    """What happened lately, by number; `missed` others before it were not told."""

    events: Sequence[FarmEvent]
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Playhead:
    """Where a recording or a simulation is: moments in Unix nanoseconds.

    `speed` is a multiple of life's. Of a simulation nobody knows where it ends before it does.
    """

    at_unix_ns: int
    begins_unix_ns: int
    ends_unix_ns: int | None
    speed: float
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Jumped:
    """What comes next does not follow on what came before: a recording was wound."""


Update: TypeAlias = LinkChanged | SnapshotCame | EventsCame | Playhead | Jumped


class Source(Protocol):
    """Tells what happens in a farm."""

    @property
    def title(self) -> str:
        """What is looked at, in a few words: "gateway pi-head:8001"."""
        ...

    def follow(self, tell: Callable[[Update], None], stop: Event) -> None:
        """Tell every update until `stop` is set; on a thread of its own, and never raise.

        `tell` may be called from any thread and returns at once.
        """
        ...


@runtime_checkable
class Player(Protocol):
    """A source whose time can be steered, from any thread; its `Playhead` tells what came of it."""

    def pause(self) -> None:
        """Stand still, or go on."""
        ...

    def slower(self) -> None: ...

    def faster(self) -> None: ...

    def skip(self, by_s: float) -> None:
        """Go on by seconds of its own, or back; as far as there is something. Skips add up."""
        ...


class Tap(Protocol):
    """Is given all that a gateway tells, as it came, on the threads of its source.

    Its methods return soon and never raise; `fault` is why it has not kept everything, for a
    human, and empty as long as it has.
    """

    @property
    def fault(self) -> str: ...

    def snapshot(self, message: "SnapshotMessage") -> None: ...

    def events(self, message: "WatchEventsResponse") -> None: ...


class Lines(Protocol):
    """Lines of a log; any thread may close them, which ends them with a `FarmError`."""

    def __iter__(self) -> Iterator[LogLine]: ...

    def close(self) -> None:
        """End them, also while somebody waits for the next one."""
        ...


class Operator(Protocol):
    """What a living farm can be asked and told. Every method blocks and raises `FarmError`.

    The timeouts are those of `farm.client.AdminClient`, which is one.
    """

    def cordon(self, node_id: str) -> object:
        """Take a node out of service."""
        ...

    def uncordon(self, node_id: str) -> object:
        """Put a node back into service."""
        ...

    def restart(self, node_id: str) -> object:
        """Replace a node's process."""
        ...

    def load(self, name: str) -> None:
        """Load a model, or load it again."""
        ...

    def unload(self, name: str) -> None:
        """Unload every version of a model."""
        ...

    def describe_node(self, node_id: str) -> NodeDetails:
        """Return a node in depth."""
        ...

    def describe(self, name: str) -> "Sequence[ModelDescription]":
        """Return a model's versions in depth."""
        ...

    def history(self, node_id: str = "", *, since_unix_ns: int = 0) -> Sequence[HistoryPoint]:
        """Return how a node, or the whole farm, fared lately."""
        ...

    def log(self, node_id: str = "", *, lines: int = 100, follow: bool = False) -> Lines:
        """Return lines of a node's log, or of the gateway's own."""
        ...

    def ledger(self, query: LedgerQuery) -> LedgerAnswer:
        """Return what work took."""
        ...

    def terms(self, since_unix_ns: int, until_unix_ns: int = 0) -> FarmTerms:
        """Return what the operator says of money and of the grid."""
        ...
