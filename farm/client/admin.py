"""The operator's client."""

import json
from collections.abc import Generator, Mapping
from contextlib import closing
from types import TracebackType
from typing import Self

from farm.client import ledger, operations, terms
from farm.client.calls import BlockingCalls
from farm.client.channel import DEFAULT_ADDRESS
from farm.client.log_lines import LogLines
from farm.client.methods import (
    CALIBRATE,
    DESCRIBE_MODEL,
    DESCRIBE_NODE,
    HISTORY,
    LEDGER,
    LEDGER_RECORDS,
    LOG_SETTINGS,
    MEASURE_MODEL,
    NODE_ACTION,
    REPOSITORY_INDEX,
    REPOSITORY_MODEL_LOAD,
    REPOSITORY_MODEL_UNLOAD,
    REVOKE,
    TAIL_LOG,
    TERMS,
    VERSION,
    WATCH_EVENTS,
    WATCH_SNAPSHOTS,
)
from farm.client.tls import ClientTls
from farm.core.addresses import checked_address
from farm.core.errors import UnsupportedError
from farm.core.events import FarmEvent
from farm.core.histories import HistoryPoint
from farm.core.ledger import BatchRecord, LedgerAnswer, LedgerQuery
from farm.core.node_details import NodeDetails
from farm.core.terms import FarmTerms
from farm.pb.farm_admin_pb2 import (
    CalibrateRequest,
    CalibrationProgress,
    DescribeModelRequest,
    DescribeNodeRequest,
    FarmSnapshot,
    HistoryRequest,
    LedgerRecordsRequest,
    MeasureModelRequest,
    ModelDescription,
    NodeActionRequest,
    NodeSnapshot,
    RevokeRequest,
    TailLogRequest,
    TermsRequest,
    VersionRequest,
    VersionResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from farm.pb.farm_admin_pb2 import WatchSnapshotsRequest as WatchRequest
from farm.pb.open_inference_pb2 import (
    LogSettingsRequest,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
)

SettingValue = bool | int | str


class AdminClient:
    """Asks a gateway about its farm and tells it what to serve.

    Threads may share it. Every method raises `FarmError`; none tries again by itself. From
    another machine a gateway wants an operator's certificate, in `tls`, or an operator's
    `token`, which needs `tls` as well.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        tls: ClientTls | None = None,
        token: str | None = None,
    ) -> None:
        self.address = checked_address(address)
        self._calls = BlockingCalls(address, tls, 0, token=token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every call and close the connection."""
        self._calls.close()

    def version(self, *, timeout_s: float = 5.0) -> VersionResponse:
        """Return the gateway's version."""
        return self._calls.unary(VERSION, VersionRequest(), timeout_s)

    def snapshot(self, *, timeout_s: float = 5.0) -> FarmSnapshot:
        """Return the farm as it is now."""
        once = WatchRequest(interval_ns=0)
        with closing(self._calls.stream(WATCH_SNAPSHOTS, once, timeout_s)) as snapshots:
            for snapshot in snapshots:
                return snapshot
        raise UnsupportedError(f"{self.address} ended its answer without a snapshot")

    def watch(self, interval_s: float) -> Generator[FarmSnapshot, None, None]:
        """Yield the farm every `interval_s` seconds until the gateway goes away.

        Closing the iterator ends the call.
        """
        request = WatchRequest(interval_ns=round(interval_s * 1e9))
        return self._calls.stream(WATCH_SNAPSHOTS, request, None)

    def events(
        self, after: int = 0, *, timeout_s: float | None = None
    ) -> Generator[tuple[list[FarmEvent], int], None, None]:
        """Yield what happens, some events at a time, and how many before them were missed.

        Those with a number up to `after` are known already. Closing the iterator ends the call.
        """
        with closing(self.watch_events(after, timeout_s=timeout_s)) as answers:
            for answer in answers:
                yield list(map(operations.of_event, answer.events)), answer.missed

    def watch_events(
        self, after: int = 0, *, timeout_s: float | None = None
    ) -> Generator[WatchEventsResponse, None, None]:
        """Yield what happens as the gateway tells it, likewise."""
        return self._calls.stream(WATCH_EVENTS, WatchEventsRequest(after=after), timeout_s)

    def history(
        self, node_id: str = "", *, since_unix_ns: int = 0, timeout_s: float = 5.0
    ) -> tuple[HistoryPoint, ...]:
        """Return how a node, or the whole farm, fared lately, the oldest first."""
        request = HistoryRequest(node_id=node_id, since_unix_ns=since_unix_ns)
        answer = self._calls.unary(HISTORY, request, timeout_s)
        return tuple(map(operations.of_point, answer.points))

    def log(
        self,
        node_id: str = "",
        *,
        lines: int = 100,
        follow: bool = False,
        timeout_s: float | None = None,
    ) -> LogLines:
        """Return the last lines of a node's log, or of the gateway's own, and what follows.

        Closing them ends the call.
        """
        request = TailLogRequest(node_id=node_id, lines=lines, follow=follow)
        return LogLines(self._calls.open(TAIL_LOG.name, request, timeout_s), self.address)

    def describe_node(self, node_id: str, *, timeout_s: float = 5.0) -> NodeDetails:
        """Return what a node is doing now, and what went wrong there."""
        request = DescribeNodeRequest(node_id=node_id)
        return operations.of_details(self._calls.unary(DESCRIBE_NODE, request, timeout_s))

    def describe(
        self, name: str, version: str = "", *, timeout_s: float = 5.0
    ) -> tuple[ModelDescription, ...]:
        """Return a model's versions in depth, the newest first; all without a `version`."""
        request = DescribeModelRequest(name=name, version=version)
        return tuple(self._calls.unary(DESCRIBE_MODEL, request, timeout_s).versions)

    def measure(
        self, name: str, version: str = "", *, timeout_s: float | None = None
    ) -> tuple[ModelDescription, ...]:
        """Measure a model's latency curves anew; return its versions as `describe` does."""
        request = MeasureModelRequest(name=name, version=version)
        return tuple(self._calls.unary(MEASURE_MODEL, request, timeout_s).versions)

    def cordon(self, node_id: str, *, timeout_s: float = 10.0) -> NodeSnapshot:
        """Take a node out of service until `uncordon`; what runs there ends its run."""
        return self._node_action(node_id, "cordon", timeout_s)

    def uncordon(self, node_id: str, *, timeout_s: float = 10.0) -> NodeSnapshot:
        """Put a node back into service."""
        return self._node_action(node_id, "uncordon", timeout_s)

    def restart(self, node_id: str, *, timeout_s: float = 60.0) -> NodeSnapshot:
        """Replace a node's process by a new one; return the node once that is up."""
        return self._node_action(node_id, "restart", timeout_s)

    def calibrate(
        self, host: str, *, step_s: float = 0.0
    ) -> Generator[CalibrationProgress, None, None]:
        """Calibrate the board of a host by its meter; yield how far that is until it is done.

        Its nodes take no batches meanwhile. The watts at each load are measured for `step_s`,
        0 for as long as is usual. Closing the iterator ends it without a result.
        """
        request = CalibrateRequest(host=host, step_ns=round(step_s * 1e9))
        return self._calls.stream(CALIBRATE, request, None)

    def _node_action(self, node_id: str, action: str, timeout_s: float) -> NodeSnapshot:
        request = NodeActionRequest(node_id=node_id, action=action)
        return self._calls.unary(NODE_ACTION, request, timeout_s).node

    def revoke(self, list_pem: bytes, *, timeout_s: float = 10.0) -> int:
        """Let certificates in no more; return how many are revoked now.

        `list_pem` names all of them: a list (CRL) that the farm's CA has signed. One that is
        not, is older than the gateway's or leaves some of its out is an `InvalidRequestError`.
        """
        request = RevokeRequest(list_pem=list_pem)
        return self._calls.unary(REVOKE, request, timeout_s).revoked

    def ledger(self, query: LedgerQuery, *, timeout_s: float = 30.0) -> LedgerAnswer:
        """Return what work took, as the gateway's ledger has it; `until_unix_ns` 0 is now."""
        response = self._calls.unary(LEDGER, ledger.to_request(query), timeout_s)
        return ledger.of_response(response)

    def ledger_records(
        self, since_unix_ns: int, until_unix_ns: int = 0
    ) -> Generator[BatchRecord, None, None]:
        """Yield every batch that was settled in a time, oldest first; without an end until now.

        Closing the iterator ends the call.
        """
        request = LedgerRecordsRequest(since_unix_ns=since_unix_ns, until_unix_ns=until_unix_ns)
        with closing(self._calls.stream(LEDGER_RECORDS, request, None)) as chunks:
            for chunk in chunks:
                yield from map(ledger.of_record, chunk.records)

    def terms(
        self, since_unix_ns: int, until_unix_ns: int = 0, *, timeout_s: float = 5.0
    ) -> FarmTerms:
        """Return what the operator says of money and of the grid; prices averaged over a time."""
        request = TermsRequest(since_unix_ns=since_unix_ns, until_unix_ns=until_unix_ns)
        return terms.of_response(self._calls.unary(TERMS, request, timeout_s))

    def load(
        self,
        name: str,
        *,
        config: Mapping[str, object] | str | None = None,
        files: Mapping[str, bytes] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Load a model, or load it again, and return once it is served.

        `config` overrides its config, in protobuf's JSON form. `files` are contents by
        "<version>/<file>" and stand for those in the repository.
        """
        request = RepositoryModelLoadRequest(model_name=name)
        if config is not None:
            text = config if isinstance(config, str) else json.dumps(config)
            request.parameters["config"].string_param = text
        for path, content in (files or {}).items():
            request.parameters[f"file:{path}"].bytes_param = content
        self._calls.unary(REPOSITORY_MODEL_LOAD, request, timeout_s)

    def unload(self, name: str, *, timeout_s: float | None = None) -> None:
        """Unload every version of a model."""
        request = RepositoryModelUnloadRequest(model_name=name)
        self._calls.unary(REPOSITORY_MODEL_UNLOAD, request, timeout_s)

    def index(
        self, ready: bool = False, *, timeout_s: float = 5.0
    ) -> tuple[RepositoryIndexResponse.ModelIndex, ...]:
        """Return every version in the repository and its state, or those that are ready."""
        request = RepositoryIndexRequest(ready=ready)
        return tuple(self._calls.unary(REPOSITORY_INDEX, request, timeout_s).models)

    def log_settings(
        self, settings: Mapping[str, SettingValue] | None = None, *, timeout_s: float = 5.0
    ) -> dict[str, SettingValue]:
        """Change the gateway's log settings that are named; return all of them."""
        request = LogSettingsRequest()
        for key, value in (settings or {}).items():
            if isinstance(value, bool):
                request.settings[key].bool_param = value
            elif isinstance(value, int):
                request.settings[key].uint32_param = value
            else:
                request.settings[key].string_param = value
        answer = self._calls.unary(LOG_SETTINGS, request, timeout_s)
        return {
            key: getattr(value, value.WhichOneof("parameter_choice") or "string_param")
            for key, value in answer.settings.items()
        }
