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
    __slots__ = ("taken_unix_ns", "farm_name", "gateway_state", "nodes", "models", "queued_requests", "inflight_batches", "energy")
    TAKEN_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    FARM_NAME_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_STATE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    INFLIGHT_BATCHES_FIELD_NUMBER: _ClassVar[int]
    ENERGY_FIELD_NUMBER: _ClassVar[int]
    taken_unix_ns: int
    farm_name: str
    gateway_state: str
    nodes: _containers.RepeatedCompositeFieldContainer[NodeSnapshot]
    models: _containers.RepeatedCompositeFieldContainer[ModelSnapshot]
    queued_requests: int
    inflight_batches: int
    energy: EnergyTotals
    def __init__(self, taken_unix_ns: _Optional[int] = ..., farm_name: _Optional[str] = ..., gateway_state: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[NodeSnapshot, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[ModelSnapshot, _Mapping]]] = ..., queued_requests: _Optional[int] = ..., inflight_batches: _Optional[int] = ..., energy: _Optional[_Union[EnergyTotals, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("node_id", "state", "reason", "incarnation", "host", "board", "cpu_class", "architecture", "onnxruntime_version", "cores", "slots", "slots_busy", "cpu_fraction", "memory_total_bytes", "memory_available_bytes", "temperature_c", "clock_hz", "batches_total", "rows_total", "failures_total", "heartbeat_age_ns", "model_digests", "pid", "threads_per_slot", "throttle_flags", "speed", "cordoned", "inflight_batches", "power", "meter", "meter_fault")
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
    def __init__(self, node_id: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., incarnation: _Optional[str] = ..., host: _Optional[str] = ..., board: _Optional[str] = ..., cpu_class: _Optional[str] = ..., architecture: _Optional[str] = ..., onnxruntime_version: _Optional[str] = ..., cores: _Optional[int] = ..., slots: _Optional[int] = ..., slots_busy: _Optional[int] = ..., cpu_fraction: _Optional[float] = ..., memory_total_bytes: _Optional[int] = ..., memory_available_bytes: _Optional[int] = ..., temperature_c: _Optional[float] = ..., clock_hz: _Optional[float] = ..., batches_total: _Optional[int] = ..., rows_total: _Optional[int] = ..., failures_total: _Optional[int] = ..., heartbeat_age_ns: _Optional[int] = ..., model_digests: _Optional[_Iterable[str]] = ..., pid: _Optional[int] = ..., threads_per_slot: _Optional[int] = ..., throttle_flags: _Optional[int] = ..., speed: _Optional[float] = ..., cordoned: bool = ..., inflight_batches: _Optional[int] = ..., power: _Optional[_Union[PowerReading, _Mapping]] = ..., meter: _Optional[str] = ..., meter_fault: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("name", "version", "state", "reason", "digest", "max_batch_size", "batching_reason", "ready_nodes", "queued_requests", "requests_total", "failures_total")
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
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., digest: _Optional[str] = ..., max_batch_size: _Optional[int] = ..., batching_reason: _Optional[str] = ..., ready_nodes: _Optional[_Iterable[str]] = ..., queued_requests: _Optional[int] = ..., requests_total: _Optional[int] = ..., failures_total: _Optional[int] = ...) -> None: ...

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
