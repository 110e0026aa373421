"""What happens in a farm, as its operator is told of it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much an event asks of an operator."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class EventKind(StrEnum):
    """What happened."""

    GATEWAY_STARTED = "gateway_started"
    GATEWAY_SERVING = "gateway_serving"
    GATEWAY_DRAINING = "gateway_draining"
    NODE_JOINING = "node_joining"
    NODE_READY = "node_ready"
    NODE_SUSPECT = "node_suspect"
    NODE_EJECTED = "node_ejected"
    NODE_CORDONED = "node_cordoned"
    NODE_UNCORDONED = "node_uncordoned"
    NODE_LOST = "node_lost"
    NODE_RESTARTING = "node_restarting"
    NODE_RESTARTED = "node_restarted"
    NODE_THROTTLED = "node_throttled"
    NODE_UNTHROTTLED = "node_unthrottled"
    METER_LOST = "meter_lost"
    METER_BACK = "meter_back"
    MODEL_LOADING = "model_loading"
    MODEL_READY = "model_ready"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_REMOVED = "model_removed"
    LEDGER_UNWRITTEN = "ledger_unwritten"
    LEDGER_WRITTEN = "ledger_written"
    LEDGER_SET_ASIDE = "ledger_set_aside"
    WISHES_RESTORED = "wishes_restored"
    OPERATOR_ACTED = "operator_acted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event before it has a number: `subject` is the node, model or part it is about."""

    kind: EventKind
    severity: Severity
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmEvent:
    """Something that happened. `number` rises by one as long as a gateway runs, and with the next.

    `kind` is text from an open set: another version of the farm may know more than this one.
    """

    number: int
    unix_ns: int
    kind: str
    severity: Severity
    subject: str
    detail: str = ""
