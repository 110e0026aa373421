# mypy: ignore-errors
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VersionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("list_pem",)
    LIST_PEM_FIELD_NUMBER: _ClassVar[int]
    list_pem: bytes
    def __init__(self, list_pem: _Optional[bytes] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ("revoked",)
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    revoked: int
    def __init__(self, revoked: _Optional[int] = ...) -> None: ...

class VersionResponse(_message.Message):
    __slots__ = ("farm_version", "protocol", "farm_name")
    FARM_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    FARM_NAME_FIELD_NUMBER: _ClassVar[int]
    farm_version: str
    protocol: int
    farm_name: str
    def __init__(self, farm_version: _Optional[str] = ..., protocol: _Optional[int] = ..., farm_name: _Optional[str] = ...) -> None: ...

class WatchSnapshotsRequest(_message.Message):
    __slots__ = ("interval_ns",)
    INTERVAL_NS_FIELD_NUMBER: _ClassVar[int]
    interval_ns: int
    def __init__(self, interval_ns: _Optional[int] = ...) -> None: ...

class FarmSnapshot(_message.Message):
    __slots__ = ("taken_unix_ns", "farm_name", "gateway_state", "nodes", "models", "queued_requests", "inflight_batches", "energy", "prices", "gateway_began_unix_ns")
    TAKEN_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    FARM_NAME_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_STATE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    INFLIGHT_BATCHES_FIELD_NUMBER: _ClassVar[int]
    ENERGY_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_BEGAN_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    taken_unix_ns: int
    farm_name: str
    gateway_state: str
    nodes: _containers.RepeatedCompositeFieldContainer[NodeSnapshot]
    models: _containers.RepeatedCompositeFieldContainer[ModelSnapshot]
    queued_requests: int
    inflight_batches: int
    energy: EnergyTotals
    prices: AnswerPrices
    gateway_began_unix_ns: int
    def __init__(self, taken_unix_ns: _Optional[int] = ..., farm_name: _Optional[str] = ..., gateway_state: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[NodeSnapshot, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[ModelSnapshot, _Mapping]]] = ..., queued_requests: _Optional[int] = ..., inflight_batches: _Optional[int] = ..., energy: _Optional[_Union[EnergyTotals, _Mapping]] = ..., prices: _Optional[_Union[AnswerPrices, _Mapping]] = ..., gateway_began_unix_ns: _Optional[int] = ...) -> None: ...

class AnswerPrices(_message.Message):
    __slots__ = ("answers", "cost", "currency", "baseline", "baseline_cost", "baseline_currency")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    BASELINE_COST_FIELD_NUMBER: _ClassVar[int]
    BASELINE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    answers: int
    cost: float
    currency: str
    baseline: str
    baseline_cost: float
    baseline_currency: str
    def __init__(self, answers: _Optional[int] = ..., cost: _Optional[float] = ..., currency: _Optional[str] = ..., baseline: _Optional[str] = ..., baseline_cost: _Optional[float] = ..., baseline_currency: _Optional[str] = ...) -> None: ...

class NodeWork(_message.Message):
    __slots__ = ("answers_total", "batches_total", "rows_total", "failures_total", "compute_ns", "joules")
    ANSWERS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BATCHES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FAILURES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_NS_FIELD_NUMBER: _ClassVar[int]
    JOULES_FIELD_NUMBER: _ClassVar[int]
    answers_total: int
    batches_total: int
    rows_total: int
    failures_total: int
    compute_ns: int
    joules: float
    def __init__(self, answers_total: _Optional[int] = ..., batches_total: _Optional[int] = ..., rows_total: _Optional[int] = ..., failures_total: _Optional[int] = ..., compute_ns: _Optional[int] = ..., joules: _Optional[float] = ...) -> None: ...

class EnergyTotals(_message.Message):
    __slots__ = ("measured_j", "modelled_j", "assumed_j", "cost", "currency")
    MEASURED_J_FIELD_NUMBER: _ClassVar[int]
    MODELLED_J_FIELD_NUMBER: _ClassVar[int]
    ASSUMED_J_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    measured_j: float
    modelled_j: float
    assumed_j: float
    cost: float
    currency: str
    def __init__(self, measured_j: _Optional[float] = ..., modelled_j: _Optional[float] = ..., assumed_j: _Optional[float] = ..., cost: _Optional[float] = ..., currency: _Optional[str] = ...) -> None: ...

class PowerReading(_message.Message):
    __slots__ = ("watts", "low_w", "high_w", "source")
    WATTS_FIELD_NUMBER: _ClassVar[int]
    LOW_W_FIELD_NUMBER: _ClassVar[int]
    HIGH_W_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    watts: float
    low_w: float
    high_w: float
    source: str
    def __init__(self, watts: _Optional[float] = ..., low_w: _Optional[float] = ..., high_w: _Optional[float] = ..., source: _Optional[str] = ...) -> None: ...

class NodeSnapshot(_message.Message):
    __slots__ = ("node_id", "state", "reason", "incarnation", "host", "board", "cpu_class", "architecture", "onnxruntime_version", "cores", "slots", "slots_busy", "cpu_fraction", "memory_total_bytes", "memory_available_bytes", "temperature_c", "clock_hz", "batches_total", "rows_total", "failures_total", "heartbeat_age_ns", "model_digests", "pid", "threads_per_slot", "throttle_flags", "speed", "cordoned", "inflight_batches", "power", "meter", "meter_fault", "work")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    CPU_CLASS_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    ONNXRUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    CORES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_BUSY_FIELD_NUMBER: _ClassVar[int]
    CPU_FRACTION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_C_FIELD_NUMBER: _ClassVar[int]
    CLOCK_HZ_FIELD_NUMBER: _ClassVar[int]
    BATCHES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FAILURES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_AGE_NS_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    THREADS_PER_SLOT_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FLAGS_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    CORDONED_FIELD_NUMBER: _ClassVar[int]
    INFLIGHT_BATCHES_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    METER_FIELD_NUMBER: _ClassVar[int]
    METER_FAULT_FIELD_NUMBER: _ClassVar[int]
    WORK_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    state: str
    reason: str
    incarnation: str
    host: str
    board: str
    cpu_class: str
    architecture: str
    onnxruntime_version: str
    cores: int
    slots: int
    slots_busy: int
    cpu_fraction: float
    memory_total_bytes: int
    memory_available_bytes: int
    temperature_c: float
    clock_hz: float
    batches_total: int
    rows_total: int
    failures_total: int
    heartbeat_age_ns: int
    model_digests: _containers.RepeatedScalarFieldContainer[str]
    pid: int
    threads_per_slot: int
    throttle_flags: int
    speed: float
    cordoned: bool
    inflight_batches: int
    power: PowerReading
    meter: str
    meter_fault: str
    work: NodeWork
    def __init__(self, node_id: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., incarnation: _Optional[str] = ..., host: _Optional[str] = ..., board: _Optional[str] = ..., cpu_class: _Optional[str] = ..., architecture: _Optional[str] = ..., onnxruntime_version: _Optional[str] = ..., cores: _Optional[int] = ..., slots: _Optional[int] = ..., slots_busy: _Optional[int] = ..., cpu_fraction: _Optional[float] = ..., memory_total_bytes: _Optional[int] = ..., memory_available_bytes: _Optional[int] = ..., temperature_c: _Optional[float] = ..., clock_hz: _Optional[float] = ..., batches_total: _Optional[int] = ..., rows_total: _Optional[int] = ..., failures_total: _Optional[int] = ..., heartbeat_age_ns: _Optional[int] = ..., model_digests: _Optional[_Iterable[str]] = ..., pid: _Optional[int] = ..., threads_per_slot: _Optional[int] = ..., throttle_flags: _Optional[int] = ..., speed: _Optional[float] = ..., cordoned: bool = ..., inflight_batches: _Optional[int] = ..., power: _Optional[_Union[PowerReading, _Mapping]] = ..., meter: _Optional[str] = ..., meter_fault: _Optional[str] = ..., work: _Optional[_Union[NodeWork, _Mapping]] = ...) -> None: ...

class NodeActionRequest(_message.Message):
    __slots__ = ("node_id", "action")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    action: str
    def __init__(self, node_id: _Optional[str] = ..., action: _Optional[str] = ...) -> None: ...

class NodeActionResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: NodeSnapshot
    def __init__(self, node: _Optional[_Union[NodeSnapshot, _Mapping]] = ...) -> None: ...

class ModelSnapshot(_message.Message):
    __slots__ = ("name", "version", "state", "reason", "digest", "max_batch_size", "batching_reason", "ready_nodes", "queued_requests", "requests_total", "failures_total", "rows_total", "batches_total", "latencies", "latency_ns")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    BATCHING_REASON_FIELD_NUMBER: _ClassVar[int]
    READY_NODES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FAILURES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BATCHES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    LATENCY_NS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    state: str
    reason: str
    digest: str
    max_batch_size: int
    batching_reason: str
    ready_nodes: _containers.RepeatedScalarFieldContainer[str]
    queued_requests: int
    requests_total: int
    failures_total: int
    rows_total: int
    batches_total: int
    latencies: _containers.RepeatedScalarFieldContainer[int]
    latency_ns: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., digest: _Optional[str] = ..., max_batch_size: _Optional[int] = ..., batching_reason: _Optional[str] = ..., ready_nodes: _Optional[_Iterable[str]] = ..., queued_requests: _Optional[int] = ..., requests_total: _Optional[int] = ..., failures_total: _Optional[int] = ..., rows_total: _Optional[int] = ..., batches_total: _Optional[int] = ..., latencies: _Optional[_Iterable[int]] = ..., latency_ns: _Optional[int] = ...) -> None: ...

class DescribeModelRequest(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class MeasureModelRequest(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class DescribeModelResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[ModelDescription]
    def __init__(self, versions: _Optional[_Iterable[_Union[ModelDescription, _Mapping]]] = ...) -> None: ...

class ModelDescription(_message.Message):
    __slots__ = ("snapshot", "inputs", "outputs", "abi", "ir_version", "opsets", "producer", "runtime_floor", "operators", "size_bytes", "parameters", "nodes", "goldens_checked", "objective")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ABI_FIELD_NUMBER: _ClassVar[int]
    IR_VERSION_FIELD_NUMBER: _ClassVar[int]
    OPSETS_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FLOOR_FIELD_NUMBER: _ClassVar[int]
    OPERATORS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    GOLDENS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    snapshot: ModelSnapshot
    inputs: _containers.RepeatedCompositeFieldContainer[TensorDescription]
    outputs: _containers.RepeatedCompositeFieldContainer[TensorDescription]
    abi: str
    ir_version: int
    opsets: _containers.RepeatedCompositeFieldContainer[OpsetImport]
    producer: str
    runtime_floor: str
    operators: int
    size_bytes: int
    parameters: _containers.ScalarMap[str, str]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeReadiness]
    goldens_checked: int
    objective: str
    def __init__(self, snapshot: _Optional[_Union[ModelSnapshot, _Mapping]] = ..., inputs: _Optional[_Iterable[_Union[TensorDescription, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[TensorDescription, _Mapping]]] = ..., abi: _Optional[str] = ..., ir_version: _Optional[int] = ..., opsets: _Optional[_Iterable[_Union[OpsetImport, _Mapping]]] = ..., producer: _Optional[str] = ..., runtime_floor: _Optional[str] = ..., operators: _Optional[int] = ..., size_bytes: _Optional[int] = ..., parameters: _Optional[_Mapping[str, str]] = ..., nodes: _Optional[_Iterable[_Union[NodeReadiness, _Mapping]]] = ..., goldens_checked: _Optional[int] = ..., objective: _Optional[str] = ...) -> None: ...

class TensorDescription(_message.Message):
    __slots__ = ("name", "datatype", "shape", "optional", "preprocessing", "labels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATATYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    datatype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    optional: bool
    preprocessing: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., datatype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., optional: bool = ..., preprocessing: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ...) -> None: ...

class OpsetImport(_message.Message):
    __slots__ = ("domain", "version")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    domain: str
    version: int
    def __init__(self, domain: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class NodeReadiness(_message.Message):
    __slots__ = ("node_id", "cpu_class", "board", "onnxruntime_version", "ready", "reason", "curve", "splits", "correction", "speed", "measured_unix_ns", "measured_on", "stored")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    CPU_CLASS_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    ONNXRUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    MEASURED_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    MEASURED_ON_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    cpu_class: str
    board: str
    onnxruntime_version: str
    ready: bool
    reason: str
    curve: _containers.RepeatedCompositeFieldContainer[CurvePoint]
    splits: _containers.RepeatedCompositeFieldContainer[SplitCurve]
    correction: float
    speed: float
    measured_unix_ns: int
    measured_on: str
    stored: bool
    def __init__(self, node_id: _Optional[str] = ..., cpu_class: _Optional[str] = ..., board: _Optional[str] = ..., onnxruntime_version: _Optional[str] = ..., ready: bool = ..., reason: _Optional[str] = ..., curve: _Optional[_Iterable[_Union[CurvePoint, _Mapping]]] = ..., splits: _Optional[_Iterable[_Union[SplitCurve, _Mapping]]] = ..., correction: _Optional[float] = ..., speed: _Optional[float] = ..., measured_unix_ns: _Optional[int] = ..., measured_on: _Optional[str] = ..., stored: bool = ...) -> None: ...

class SplitCurve(_message.Message):
    __slots__ = ("slots", "threads", "curve", "chosen")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    slots: int
    threads: int
    curve: _containers.RepeatedCompositeFieldContainer[CurvePoint]
    chosen: bool
    def __init__(self, slots: _Optional[int] = ..., threads: _Optional[int] = ..., curve: _Optional[_Iterable[_Union[CurvePoint, _Mapping]]] = ..., chosen: bool = ...) -> None: ...

class CurvePoint(_message.Message):
    __slots__ = ("rows", "seconds")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    seconds: float
    def __init__(self, rows: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class CalibrateRequest(_message.Message):
    __slots__ = ("host", "step_ns")
    HOST_FIELD_NUMBER: _ClassVar[int]
    STEP_NS_FIELD_NUMBER: _ClassVar[int]
    host: str
    step_ns: int
    def __init__(self, host: _Optional[str] = ..., step_ns: _Optional[int] = ...) -> None: ...

class CalibrationProgress(_message.Message):
    __slots__ = ("phase", "load", "present", "points", "calibration", "warning")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    phase: str
    load: float
    present: CalibrationPoint
    points: _containers.RepeatedCompositeFieldContainer[CalibrationPoint]
    calibration: Calibration
    warning: str
    def __init__(self, phase: _Optional[str] = ..., load: _Optional[float] = ..., present: _Optional[_Union[CalibrationPoint, _Mapping]] = ..., points: _Optional[_Iterable[_Union[CalibrationPoint, _Mapping]]] = ..., calibration: _Optional[_Union[Calibration, _Mapping]] = ..., warning: _Optional[str] = ...) -> None: ...

class CalibrationPoint(_message.Message):
    __slots__ = ("load", "utilisation", "speed", "watts", "spread_w", "measured_ns")
    LOAD_FIELD_NUMBER: _ClassVar[int]
    UTILISATION_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    WATTS_FIELD_NUMBER: _ClassVar[int]
    SPREAD_W_FIELD_NUMBER: _ClassVar[int]
    MEASURED_NS_FIELD_NUMBER: _ClassVar[int]
    load: float
    utilisation: float
    speed: float
    watts: float
    spread_w: float
    measured_ns: int
    def __init__(self, load: _Optional[float] = ..., utilisation: _Optional[float] = ..., speed: _Optional[float] = ..., watts: _Optional[float] = ..., spread_w: _Optional[float] = ..., measured_ns: _Optional[int] = ...) -> None: ...

class Calibration(_message.Message):
    __slots__ = ("board", "host", "meter", "measured_unix_ns", "points", "idle", "load", "rmse_w")
    BOARD_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    METER_FIELD_NUMBER: _ClassVar[int]
    MEASURED_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    RMSE_W_FIELD_NUMBER: _ClassVar[int]
    board: str
    host: str
    meter: str
    measured_unix_ns: int
    points: _containers.RepeatedCompositeFieldContainer[CalibrationPoint]
    idle: PowerReading
    load: PowerReading
    rmse_w: float
    def __init__(self, board: _Optional[str] = ..., host: _Optional[str] = ..., meter: _Optional[str] = ..., measured_unix_ns: _Optional[int] = ..., points: _Optional[_Iterable[_Union[CalibrationPoint, _Mapping]]] = ..., idle: _Optional[_Union[PowerReading, _Mapping]] = ..., load: _Optional[_Union[PowerReading, _Mapping]] = ..., rmse_w: _Optional[float] = ...) -> None: ...

class LedgerRequest(_message.Message):
    __slots__ = ("since_unix_ns", "until_unix_ns", "group", "step_ns")
    SINCE_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    STEP_NS_FIELD_NUMBER: _ClassVar[int]
    since_unix_ns: int
    until_unix_ns: int
    group: str
    step_ns: int
    def __init__(self, since_unix_ns: _Optional[int] = ..., until_unix_ns: _Optional[int] = ..., group: _Optional[str] = ..., step_ns: _Optional[int] = ...) -> None: ...

class LedgerResponse(_message.Message):
    __slots__ = ("figures", "incidents", "currency", "begins_unix_ns", "size_bytes", "drops", "latency_bounds_ns")
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    BEGINS_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BOUNDS_NS_FIELD_NUMBER: _ClassVar[int]
    figures: _containers.RepeatedCompositeFieldContainer[LedgerFigures]
    incidents: _containers.RepeatedCompositeFieldContainer[Incident]
    currency: str
    begins_unix_ns: int
    size_bytes: int
    drops: int
    latency_bounds_ns: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, figures: _Optional[_Iterable[_Union[LedgerFigures, _Mapping]]] = ..., incidents: _Optional[_Iterable[_Union[Incident, _Mapping]]] = ..., currency: _Optional[str] = ..., begins_unix_ns: _Optional[int] = ..., size_bytes: _Optional[int] = ..., drops: _Optional[int] = ..., latency_bounds_ns: _Optional[_Iterable[int]] = ...) -> None: ...

class LedgerFigures(_message.Message):
    __slots__ = ("start_unix_ns", "key", "batches", "rows", "queue_ns", "compute_ns", "usage", "wasted", "idle", "counts", "window_ns")
    START_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_NS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    WASTED_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_NS_FIELD_NUMBER: _ClassVar[int]
    start_unix_ns: int
    key: str
    batches: int
    rows: int
    queue_ns: int
    compute_ns: int
    usage: LedgerUsage
    wasted: LedgerUsage
    idle: LedgerUsage
    counts: RequestCounts
    window_ns: int
    def __init__(self, start_unix_ns: _Optional[int] = ..., key: _Optional[str] = ..., batches: _Optional[int] = ..., rows: _Optional[int] = ..., queue_ns: _Optional[int] = ..., compute_ns: _Optional[int] = ..., usage: _Optional[_Union[LedgerUsage, _Mapping]] = ..., wasted: _Optional[_Union[LedgerUsage, _Mapping]] = ..., idle: _Optional[_Union[LedgerUsage, _Mapping]] = ..., counts: _Optional[_Union[RequestCounts, _Mapping]] = ..., window_ns: _Optional[int] = ...) -> None: ...

class LedgerUsage(_message.Message):
    __slots__ = ("joules", "low_j", "high_j", "measured_j", "modelled_j", "marginal_j", "node_ns", "cost", "reference_ns", "power_cost")
    JOULES_FIELD_NUMBER: _ClassVar[int]
    LOW_J_FIELD_NUMBER: _ClassVar[int]
    HIGH_J_FIELD_NUMBER: _ClassVar[int]
    MEASURED_J_FIELD_NUMBER: _ClassVar[int]
    MODELLED_J_FIELD_NUMBER: _ClassVar[int]
    MARGINAL_J_FIELD_NUMBER: _ClassVar[int]
    NODE_NS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_NS_FIELD_NUMBER: _ClassVar[int]
    POWER_COST_FIELD_NUMBER: _ClassVar[int]
    joules: float
    low_j: float
    high_j: float
    measured_j: float
    modelled_j: float
    marginal_j: float
    node_ns: int
    cost: float
    reference_ns: int
    power_cost: float
    def __init__(self, joules: _Optional[float] = ..., low_j: _Optional[float] = ..., high_j: _Optional[float] = ..., measured_j: _Optional[float] = ..., modelled_j: _Optional[float] = ..., marginal_j: _Optional[float] = ..., node_ns: _Optional[int] = ..., cost: _Optional[float] = ..., reference_ns: _Optional[int] = ..., power_cost: _Optional[float] = ...) -> None: ...

class RequestCounts(_message.Message):
    __slots__ = ("answered", "failed", "in_time", "late", "request_bytes", "response_bytes", "latency_ns", "latencies")
    class FailedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    IN_TIME_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    LATENCY_NS_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    answered: int
    failed: _containers.ScalarMap[str, int]
    in_time: int
    late: int
    request_bytes: int
    response_bytes: int
    latency_ns: int
    latencies: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, answered: _Optional[int] = ..., failed: _Optional[_Mapping[str, int]] = ..., in_time: _Optional[int] = ..., late: _Optional[int] = ..., request_bytes: _Optional[int] = ..., response_bytes: _Optional[int] = ..., latency_ns: _Optional[int] = ..., latencies: _Optional[_Iterable[int]] = ...) -> None: ...

class Incident(_message.Message):
    __slots__ = ("unix_ns", "kind", "subject", "detail")
    UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    unix_ns: int
    kind: str
    subject: str
    detail: str
    def __init__(self, unix_ns: _Optional[int] = ..., kind: _Optional[str] = ..., subject: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class LedgerRecordsRequest(_message.Message):
    __slots__ = ("since_unix_ns", "until_unix_ns")
    SINCE_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    since_unix_ns: int
    until_unix_ns: int
    def __init__(self, since_unix_ns: _Optional[int] = ..., until_unix_ns: _Optional[int] = ...) -> None: ...

class LedgerRecordsResponse(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[BatchRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[BatchRecord, _Mapping]]] = ...) -> None: ...

class BatchRecord(_message.Message):
    __slots__ = ("settled_unix_ns", "batch_id", "model", "version", "digest", "node_id", "route", "outcome", "rows", "requests", "wasted", "queue_ns", "compute_ns", "usage", "clients", "waste")
    class ClientsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class WasteEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SETTLED_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    WASTED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_NS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    WASTE_FIELD_NUMBER: _ClassVar[int]
    settled_unix_ns: int
    batch_id: int
    model: str
    version: int
    digest: str
    node_id: str
    route: str
    outcome: str
    rows: int
    requests: int
    wasted: int
    queue_ns: int
    compute_ns: int
    usage: LedgerUsage
    clients: _containers.ScalarMap[str, int]
    waste: _containers.ScalarMap[str, int]
    def __init__(self, settled_unix_ns: _Optional[int] = ..., batch_id: _Optional[int] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., digest: _Optional[str] = ..., node_id: _Optional[str] = ..., route: _Optional[str] = ..., outcome: _Optional[str] = ..., rows: _Optional[int] = ..., requests: _Optional[int] = ..., wasted: _Optional[int] = ..., queue_ns: _Optional[int] = ..., compute_ns: _Optional[int] = ..., usage: _Optional[_Union[LedgerUsage, _Mapping]] = ..., clients: _Optional[_Mapping[str, int]] = ..., waste: _Optional[_Mapping[str, int]] = ...) -> None: ...

class TermsRequest(_message.Message):
    __slots__ = ("since_unix_ns", "until_unix_ns")
    SINCE_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    since_unix_ns: int
    until_unix_ns: int
    def __init__(self, since_unix_ns: _Optional[int] = ..., until_unix_ns: _Optional[int] = ...) -> None: ...

class TermsResponse(_message.Message):
    __slots__ = ("nodes", "currency", "price_per_kwh", "capital_per_s", "unpriced_hosts", "overhead_w", "grid_gco2e_per_kwh", "grid_source", "embodied_g_per_s", "untold_hosts", "fx")
    NODES_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_KWH_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_PER_S_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_HOSTS_FIELD_NUMBER: _ClassVar[int]
    OVERHEAD_W_FIELD_NUMBER: _ClassVar[int]
    GRID_GCO2E_PER_KWH_FIELD_NUMBER: _ClassVar[int]
    GRID_SOURCE_FIELD_NUMBER: _ClassVar[int]
    EMBODIED_G_PER_S_FIELD_NUMBER: _ClassVar[int]
    UNTOLD_HOSTS_FIELD_NUMBER: _ClassVar[int]
    FX_FIELD_NUMBER: _ClassVar[int]
    nodes: int
    currency: str
    price_per_kwh: float
    capital_per_s: float
    unpriced_hosts: _containers.RepeatedScalarFieldContainer[str]
    overhead_w: float
    grid_gco2e_per_kwh: float
    grid_source: str
    embodied_g_per_s: float
    untold_hosts: _containers.RepeatedScalarFieldContainer[str]
    fx: _containers.RepeatedCompositeFieldContainer[FxRate]
    def __init__(self, nodes: _Optional[int] = ..., currency: _Optional[str] = ..., price_per_kwh: _Optional[float] = ..., capital_per_s: _Optional[float] = ..., unpriced_hosts: _Optional[_Iterable[str]] = ..., overhead_w: _Optional[float] = ..., grid_gco2e_per_kwh: _Optional[float] = ..., grid_source: _Optional[str] = ..., embodied_g_per_s: _Optional[float] = ..., untold_hosts: _Optional[_Iterable[str]] = ..., fx: _Optional[_Iterable[_Union[FxRate, _Mapping]]] = ...) -> None: ...

class FxRate(_message.Message):
    __slots__ = ("sold", "bought", "rate", "day", "source")
    SOLD_FIELD_NUMBER: _ClassVar[int]
    BOUGHT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    sold: str
    bought: str
    rate: float
    day: str
    source: str
    def __init__(self, sold: _Optional[str] = ..., bought: _Optional[str] = ..., rate: _Optional[float] = ..., day: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: int
    def __init__(self, after: _Optional[int] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("events", "missed")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[FarmEvent]
    missed: int
    def __init__(self, events: _Optional[_Iterable[_Union[FarmEvent, _Mapping]]] = ..., missed: _Optional[int] = ...) -> None: ...

class FarmEvent(_message.Message):
    __slots__ = ("number", "unix_ns", "kind", "severity", "subject", "detail")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    number: int
    unix_ns: int
    kind: str
    severity: str
    subject: str
    detail: str
    def __init__(self, number: _Optional[int] = ..., unix_ns: _Optional[int] = ..., kind: _Optional[str] = ..., severity: _Optional[str] = ..., subject: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("node_id", "since_unix_ns")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    since_unix_ns: int
    def __init__(self, node_id: _Optional[str] = ..., since_unix_ns: _Optional[int] = ...) -> None: ...

class HistoryResponse(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[HistoryPoint]
    def __init__(self, points: _Optional[_Iterable[_Union[HistoryPoint, _Mapping]]] = ...) -> None: ...

class HistoryPoint(_message.Message):
    __slots__ = ("unix_ns", "cpu_fraction", "temperature_c", "watts", "requests_per_s", "latency_ns")
    UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    CPU_FRACTION_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_C_FIELD_NUMBER: _ClassVar[int]
    WATTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_S_FIELD_NUMBER: _ClassVar[int]
    LATENCY_NS_FIELD_NUMBER: _ClassVar[int]
    unix_ns: int
    cpu_fraction: float
    temperature_c: float
    watts: float
    requests_per_s: float
    latency_ns: int
    def __init__(self, unix_ns: _Optional[int] = ..., cpu_fraction: _Optional[float] = ..., temperature_c: _Optional[float] = ..., watts: _Optional[float] = ..., requests_per_s: _Optional[float] = ..., latency_ns: _Optional[int] = ...) -> None: ...

class TailLogRequest(_message.Message):
    __slots__ = ("node_id", "lines", "follow")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    lines: int
    follow: bool
    def __init__(self, node_id: _Optional[str] = ..., lines: _Optional[int] = ..., follow: bool = ...) -> None: ...

class TailLogResponse(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("unix_ns", "level", "text")
    UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    unix_ns: int
    level: str
    text: str
    def __init__(self, unix_ns: _Optional[int] = ..., level: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class DescribeNodeRequest(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class DescribeNodeResponse(_message.Message):
    __slots__ = ("node", "batches", "models", "failures")
    NODE_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    node: NodeSnapshot
    batches: _containers.RepeatedCompositeFieldContainer[BatchInFlight]
    models: _containers.RepeatedCompositeFieldContainer[ModelOnNode]
    failures: _containers.RepeatedCompositeFieldContainer[NodeFailure]
    def __init__(self, node: _Optional[_Union[NodeSnapshot, _Mapping]] = ..., batches: _Optional[_Iterable[_Union[BatchInFlight, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[ModelOnNode, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[NodeFailure, _Mapping]]] = ...) -> None: ...

class BatchInFlight(_message.Message):
    __slots__ = ("batch_id", "model", "version", "rows", "requests", "age_ns", "running")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    AGE_NS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    model: str
    version: int
    rows: int
    requests: int
    age_ns: int
    running: bool
    def __init__(self, batch_id: _Optional[int] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., rows: _Optional[int] = ..., requests: _Optional[int] = ..., age_ns: _Optional[int] = ..., running: bool = ...) -> None: ...

class ModelOnNode(_message.Message):
    __slots__ = ("model", "version", "readiness")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    READINESS_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    readiness: NodeReadiness
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., readiness: _Optional[_Union[NodeReadiness, _Mapping]] = ...) -> None: ...

class NodeFailure(_message.Message):
    __slots__ = ("unix_ns", "batch_id", "model", "version", "code", "message")
    UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    unix_ns: int
    batch_id: int
    model: str
    version: int
    code: str
    message: str
    def __init__(self, unix_ns: _Optional[int] = ..., batch_id: _Optional[int] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
