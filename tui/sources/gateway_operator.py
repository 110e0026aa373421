"""What a living gateway can be asked and told."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from farm.core.histories import HistoryPoint
from farm.core.ledger import LedgerAnswer, LedgerQuery
from farm.core.node_details import NodeDetails
from farm.core.terms import FarmTerms
from tui.sources.connection import Connection
from tui.sources.source import Lines

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import ModelDescription


class GatewayOperator:
    """An `Operator` over a connection that need not be there yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def cordon(self, node_id: str) -> object:
        return self._connection.client().cordon(node_id)

    def uncordon(self, node_id: str) -> object:
        return self._connection.client().uncordon(node_id)

    def restart(self, node_id: str) -> object:
        return self._connection.client().restart(node_id)

    def load(self, name: str) -> None:
        self._connection.client().load(name)

    def unload(self, name: str) -> None:
        self._connection.client().unload(name)

    def describe_node(self, node_id: str) -> NodeDetails:
        return self._connection.client().describe_node(node_id)

    def describe(self, name: str) -> "Sequence[ModelDescription]":
        return self._connection.client().describe(name)

    def history(self, node_id: str = "", *, since_unix_ns: int = 0) -> Sequence[HistoryPoint]:
        return self._connection.client().history(node_id, since_unix_ns=since_unix_ns)

    def log(self, node_id: str = "", *, lines: int = 100, follow: bool = False) -> Lines:
        return self._connection.client().log(node_id, lines=lines, follow=follow)

    def ledger(self, query: LedgerQuery) -> LedgerAnswer:
        return self._connection.client().ledger(query)

    def terms(self, since_unix_ns: int, until_unix_ns: int = 0) -> FarmTerms:
        return self._connection.client().terms(since_unix_ns, until_unix_ns)
