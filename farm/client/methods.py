"""The methods that clients call, each with the types of its messages."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from farm.pb import farm_admin_pb2 as admin
from farm.pb import open_inference_pb2 as oip

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Request, Answer]):
    """A method of either service that takes one request."""

    name: str
    request_type: type[Request]
    answer_type: type[Answer]


SERVER_LIVE: Final = Rpc("ServerLive", oip.ServerLiveRequest, oip.ServerLiveResponse)
SERVER_READY: Final = Rpc("ServerReady", oip.ServerReadyRequest, oip.ServerReadyResponse)
MODEL_READY: Final = Rpc("ModelReady", oip.ModelReadyRequest, oip.ModelReadyResponse)
MODEL_METADATA: Final = Rpc("ModelMetadata", oip.ModelMetadataRequest, oip.ModelMetadataResponse)
MODEL_CONFIG: Final = Rpc("ModelConfig", oip.ModelConfigRequest, oip.ModelConfigResponse)
MODEL_STATISTICS: Final = Rpc(
    "ModelStatistics", oip.ModelStatisticsRequest, oip.ModelStatisticsResponse
)
MODEL_INFER: Final = Rpc("ModelInfer", oip.ModelInferRequest, oip.ModelInferResponse)
REPOSITORY_INDEX: Final = Rpc(
    "RepositoryIndex", oip.RepositoryIndexRequest, oip.RepositoryIndexResponse
)
REPOSITORY_MODEL_LOAD: Final = Rpc(
    "RepositoryModelLoad", oip.RepositoryModelLoadRequest, oip.RepositoryModelLoadResponse
)
REPOSITORY_MODEL_UNLOAD: Final = Rpc(
    "RepositoryModelUnload", oip.RepositoryModelUnloadRequest, oip.RepositoryModelUnloadResponse
)
LOG_SETTINGS: Final = Rpc("LogSettings", oip.LogSettingsRequest, oip.LogSettingsResponse)

VERSION: Final = Rpc("Version", admin.VersionRequest, admin.VersionResponse)
REVOKE: Final = Rpc("Revoke", admin.RevokeRequest, admin.RevokeResponse)
DESCRIBE_MODEL: Final = Rpc(
    "DescribeModel", admin.DescribeModelRequest, admin.DescribeModelResponse
)
NODE_ACTION: Final = Rpc("NodeAction", admin.NodeActionRequest, admin.NodeActionResponse)
MEASURE_MODEL: Final = Rpc("MeasureModel", admin.MeasureModelRequest, admin.DescribeModelResponse)
LEDGER: Final = Rpc("Ledger", admin.LedgerRequest, admin.LedgerResponse)
TERMS: Final = Rpc("Terms", admin.TermsRequest, admin.TermsResponse)
HISTORY: Final = Rpc("History", admin.HistoryRequest, admin.HistoryResponse)
DESCRIBE_NODE: Final = Rpc("DescribeNode", admin.DescribeNodeRequest, admin.DescribeNodeResponse)
# Their answers keep coming.
WATCH_SNAPSHOTS: Final = Rpc("WatchSnapshots", admin.WatchSnapshotsRequest, admin.FarmSnapshot)
CALIBRATE: Final = Rpc("Calibrate", admin.CalibrateRequest, admin.CalibrationProgress)
LEDGER_RECORDS: Final = Rpc(
    "LedgerRecords", admin.LedgerRecordsRequest, admin.LedgerRecordsResponse
)
WATCH_EVENTS: Final = Rpc("WatchEvents", admin.WatchEventsRequest, admin.WatchEventsResponse)
TAIL_LOG: Final = Rpc("TailLog", admin.TailLogRequest, admin.TailLogResponse)
