"""A farm that answers an operator as a test says, and remembers what it was told."""

from collections.abc import Iterator, Sequence
from threading import Event

from farm_readings import BEGINS, SECOND, node

from farm.core.errors import FarmError, RequestCancelledError
from farm.core.histories import HistoryPoint, LogLine
from farm.core.ledger import LedgerAnswer, LedgerQuery
from farm.core.models import LatencyCurve, ModelKey
from farm.core.node_details import BatchInFlight, ModelOnNode, NodeDetails, NodeFailure
from farm.core.terms import FarmTerms
from farm.pb.farm_admin_pb2 import ModelDescription

DIGITS = ModelKey("digits", 1)

DETAILS = NodeDetails(
    node=node(),
    batches=(
        BatchInFlight(batch_id=812, model=DIGITS, rows=32, requests=14, age_s=0.012, running=True),
        BatchInFlight(batch_id=813, model=DIGITS, rows=8, requests=8, age_s=0.004, running=False),
    ),
    models=(
        ModelOnNode(
            model=DIGITS,
            ready=True,
            reason="",
            curve=LatencyCurve(((1, 0.0004), (8, 0.0012), (32, 0.0041))),
            correction=1.25,
        ),
        ModelOnNode(model=ModelKey("big", 2), ready=False, reason="needs 2 GiB [/red]"),
    ),
    failures=(
        NodeFailure(
            unix_ns=BEGINS,
            batch_id=801,
            model=DIGITS,
            code="execution_failed",
            message="bad node \x1b[31mMatMul",
        ),
    ),
)


class ScriptedLines:
    """Some lines, and then none until they are closed."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.closed = Event()
        self._texts = texts

    def __iter__(self) -> Iterator[LogLine]:
        for at, text in enumerate(self._texts):
            yield LogLine(unix_ns=BEGINS + at * SECOND, level="info", text=text)
        self.closed.wait()
        raise RequestCancelledError("the log was closed")

    def close(self) -> None:
        self.closed.set()


class ScriptedOperator:
    """`told` has what was to be done; `refusal` is raised by whatever would do something.

    `trouble` is raised by whatever is asked. What is done waits for `leave`.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.refusal: FarmError | None = None
        self.trouble: Exception | None = None
        self.leave = Event()
        self.leave.set()
        self.details = DETAILS
        self.points: Sequence[HistoryPoint] = ()
        self.versions: Sequence[ModelDescription] = ()
        self.log_texts: Sequence[str] = ("a node came up",)
        self.logs: list[ScriptedLines] = []

    def cordon(self, node_id: str) -> object:
        return self._do("cordon", node_id)

    def uncordon(self, node_id: str) -> object:
        return self._do("uncordon", node_id)

    def restart(self, node_id: str) -> object:
        return self._do("restart", node_id)

    def load(self, name: str) -> None:
        self._do("load", name)

    def unload(self, name: str) -> None:
        self._do("unload", name)

    def describe_node(self, _: str) -> NodeDetails:
        self._ask()
        return self.details

    def describe(self, _: str) -> Sequence[ModelDescription]:
        self._ask()
        return self.versions

    def history(self, _: str = "", *, since_unix_ns: int = 0) -> Sequence[HistoryPoint]:
        self._ask()
        return [point for point in self.points if point.unix_ns >= since_unix_ns]

    def log(self, _: str = "", *, lines: int = 100, follow: bool = False) -> ScriptedLines:
        self._ask()
        assert follow
        self.logs.append(ScriptedLines(self.log_texts[:lines]))
        return self.logs[-1]

    def ledger(self, query: LedgerQuery) -> LedgerAnswer:
        raise NotImplementedError

    def terms(self, since_unix_ns: int, until_unix_ns: int = 0) -> FarmTerms:
        raise NotImplementedError

    def _ask(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def _do(self, action: str, name: str) -> None:
        self.told.append((action, name))
        self.leave.wait()
        if self.refusal is not None:
            raise self.refusal
