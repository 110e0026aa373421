"""How a node stands: what is held against it, and until when."""

from dataclasses import dataclass

from farm.core.nodes import NodeState


@dataclass(slots=True)
class Standing:
    """What is held against one incarnation of a node. Times are None where they do not apply.

    `heard_at` is its last heartbeat; it is `silent` while the next one stays away. `overdue`
    counts its batches that take far longer than predicted. `failures_in_row` batches failed
    on it since a success, and it was ejected `ejections` times: it is out until
    `ejected_until`, and then until a probe has succeeded, which has time until
    `probed_until`. Full, as it said itself, it is left alone until `paused_until`.

    A `pardoned` node gets batches whatever it is suspected or ejected for, because too much
    of the farm is out.
    """

    cordoned: bool = False
    heard_at: float | None = None
    silent: bool = False
    overdue: int = 0
    failures_in_row: int = 0
    ejections: int = 0
    ejected_until: float | None = None
    probed_until: float | None = None
    paused_until: float | None = None
    pardoned: bool = False

    @property
    def suspect(self) -> bool:
        """Whether it seems to hang or to be gone."""
        return self.silent or self.overdue > 0

    @property
    def ejected(self) -> bool:
        """Whether it is out for its failures, the probe that may end this included."""
        return self.ejected_until is not None or self.probed_until is not None

    @property
    def trusted(self) -> bool:
        """Whether it is neither suspect nor ejected."""
        return not self.suspect and not self.ejected

    @property
    def usable(self) -> bool:
        """Whether new batches may go there, now or once it is no longer full."""
        return not self.cordoned and (self.trusted or self.pardoned)

    @property
    def accepts(self) -> bool:
        """Whether new batches may go there now."""
        return self.usable and self.paused_until is None

    @property
    def state(self) -> NodeState:
        """What operators are told."""
        if self.cordoned:
            return NodeState.CORDONED
        if self.ejected:
            return NodeState.EJECTED
        return NodeState.SUSPECT if self.suspect else NodeState.READY
