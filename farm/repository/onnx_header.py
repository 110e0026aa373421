"""What an ONNX file says of itself, read without its weights.

An ONNX file is one protobuf message, `ModelProto`. It is walked field by field, and
whatever does not matter here is skipped by seeking, so a model of 2 GB is read in
milliseconds. The file is not trusted: depth, fields and lengths are bounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from farm.core.errors import ModelUnavailableError
from farm.repository.names import shown
from farm.repository.wire import LENGTH, VARINT, MalformedError, WireReader, signed

_MAX_DEPTH: Final = 100  # as protobuf's own readers
_MAX_TEXT_BYTES: Final = 4096
_MAX_METADATA_BYTES: Final = 64 << 10
_MAX_ENTRIES: Final = 10_000

# Field numbers of onnx.proto.
_MODEL_IR_VERSION, _MODEL_PRODUCER, _MODEL_PRODUCER_VERSION, _MODEL_GRAPH = 1, 2, 3, 7
_MODEL_OPSET, _MODEL_METADATA, _MODEL_FUNCTION = 8, 14, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_FUNCTION_NODE, _FUNCTION_ATTRIBUTE = 7, 11
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_GRAPHS, _ATTRIBUTE_TENSORS, _ATTRIBUTE_SPARSE = (6, 11), (5, 10), (22, 23)
_SPARSE_TENSORS = (1, 2)
_TENSOR_EXTERNAL = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxHeader:
    """What an ONNX file says of itself.

    `opsets` are (domain, version), with "" for ONNX's own operators. `operators` counts
    those of subgraphs and functions too. `external_files` are the locations of external
    data as the file names them. `metadata` leaves out values of more than 64 KiB.
    """

    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    producer: str
    operators: int
    external_files: tuple[str, ...]
    metadata: Mapping[str, str]


def read_header(stream: BinaryIO, *, where: str, max_operators: int) -> OnnxHeader:
    """Read the header of the ONNX file that `stream` is at the start of.

    Raises:
        ModelUnavailableError: it is no ONNX file, is cut off, or exceeds a bound; the
            message begins with `where`, the file's name.
        OSError: the file cannot be read.
    """
    walk = _Walk(stream, max_operators=max_operators)
    try:
        return walk.model()
    except _TooLargeError as error:
        raise ModelUnavailableError(f"{where} {error}") from error
    except MalformedError as error:
        raise ModelUnavailableError(
            f"{where} is not a readable ONNX model: {error}; export the model again, or copy the"
            " file again in full"
        ) from error


# (opset, IR version, first runtime with both). Up to 1.20 from the table "ONNX opset
# support" of onnxruntime.ai/docs/reference/compatibility.html; from 1.21 on found by opening
# models of each version with the first releases that took them, up to 1.31.1, November 2026.
_RUNTIMES: Final = (
    (11, 6, "1.0"),
    (12, 7, "1.3"),
    (13, 7, "1.6"),
    (14, 7, "1.8"),
    (15, 8, "1.9"),
    (16, 8, "1.11"),
    (17, 8, "1.12"),
    (18, 8, "1.14"),
    (19, 8, "1.15"),
    (19, 9, "1.16"),
    (20, 9, "1.17"),
    (21, 10, "1.18"),
    (22, 10, "1.21"),
    (23, 11, "1.23"),
    (25, 13, "1.24"),
    (26, 13, "1.25"),
)


def runtime_floor(header: OnnxHeader) -> str:
    """Return the oldest minor version of ONNX Runtime that reads a file, such as "1.17".

    "" means that the file is newer than every version known here.
    """
    opset = max((version for domain, version in header.opsets if not domain), default=0)
    for known_opset, known_ir_version, runtime in _RUNTIMES:
        if opset <= known_opset and header.ir_version <= known_ir_version:
            return runtime
    return ""


class _TooLargeError(Exception):
    """The model exceeds a bound; the text says which."""


class _Walk:
    """One pass over a file."""

    def __init__(self, stream: BinaryIO, *, max_operators: int) -> None:
        self._wire = WireReader(stream)
        self._max_operators = max_operators
        self._operators = 0
        self._external: dict[str, None] = {}

    def model(self) -> OnnxHeader:
        ir_version = 0
        opsets: list[tuple[str, int]] = []
        producer = ["", ""]
        metadata: dict[str, str] = {}
        has_graph = False
        for number, wire, value in self._wire.fields(self._wire.end):
            if wire == VARINT and number == _MODEL_IR_VERSION:
                ir_version = signed(value)
            elif wire != LENGTH:
                continue
            elif number in (_MODEL_PRODUCER, _MODEL_PRODUCER_VERSION):
                producer[number - _MODEL_PRODUCER] = self._wire.text(value, _MAX_TEXT_BYTES) or ""
            elif number == _MODEL_GRAPH:
                has_graph = True
                self._graph(value, 1)
            elif number == _MODEL_OPSET:
                opsets.append(self._opset(value))
            elif number == _MODEL_METADATA:
                name, text = self._entry(value)
                if name is not None and text is not None:
                    metadata[name] = text
            elif number == _MODEL_FUNCTION:
                self._function(value)
            if max(len(opsets), len(metadata)) > _MAX_ENTRIES:
                raise MalformedError(f"it has more than {_MAX_ENTRIES} opsets or metadata entries")
        if ir_version < 1 or not has_graph:
            raise MalformedError("it has no " + ("IR version" if ir_version < 1 else "graph"))
        return OnnxHeader(
            ir_version=ir_version,
            opsets=tuple(opsets),
            producer=" ".join(part for part in producer if part),
            operators=self._operators,
            external_files=tuple(self._external),
            metadata=metadata,
        )

    def _graph(self, end: int, depth: int) -> None:
        for number, wire, value in self._wire.fields(end):
            if wire != LENGTH:
                continue
            if number == _GRAPH_NODE:
                self._node(value, depth + 1)
            elif number == _GRAPH_INITIALIZER:
                self._tensor(value)
            elif number == _GRAPH_SPARSE:
                self._sparse(value)

    def _function(self, end: int) -> None:
        for number, wire, value in self._wire.fields(end):
            if wire == LENGTH and number == _FUNCTION_NODE:
                self._node(value, 2)
            elif wire == LENGTH and number == _FUNCTION_ATTRIBUTE:
                self._attribute(value, 2)

    def _node(self, end: int, depth: int) -> None:
        self._operators += 1
        if self._operators > self._max_operators:
            raise _TooLargeError(
                f"has more than {self._max_operators} operators, the limit that"
                " repository.max_operators sets; raise the setting or simplify the model"
            )
        for number, wire, value in self._wire.fields(end):
            if wire == LENGTH and number == _NODE_ATTRIBUTE:
                self._attribute(value, depth + 1)

    def _attribute(self, end: int, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise MalformedError(f"its graphs are nested more than {_MAX_DEPTH} messages deep")
        for number, wire, value in self._wire.fields(end):
            if wire != LENGTH:
                continue
            if number in _ATTRIBUTE_GRAPHS:
                self._graph(value, depth + 1)
            elif number in _ATTRIBUTE_TENSORS:
                self._tensor(value)
            elif number in _ATTRIBUTE_SPARSE:
                self._sparse(value)

    def _sparse(self, end: int) -> None:
        for number, wire, value in self._wire.fields(end):
            if wire == LENGTH and number in _SPARSE_TENSORS:
                self._tensor(value)

    def _tensor(self, end: int) -> None:
        for number, wire, value in self._wire.fields(end):
            if wire == LENGTH and number == _TENSOR_EXTERNAL:
                key, text = self._entry(value)
                if key != "location":
                    continue
                if text is None or len(text) > _MAX_TEXT_BYTES:
                    raise MalformedError("it names a file of external data by a name too long")
                self._external[text] = None
                if len(self._external) > _MAX_ENTRIES:
                    raise MalformedError(f"it has more than {_MAX_ENTRIES} files of external data")

    def _opset(self, end: int) -> tuple[str, int]:
        domain: str | None = ""
        version = 0
        for number, wire, value in self._wire.fields(end):
            if wire == LENGTH and number == 1:
                domain = self._wire.text(value, _MAX_TEXT_BYTES)
            elif wire == VARINT and number == 2:
                version = signed(value)
        if domain is None:
            raise MalformedError("the name of an operator set is too long")
        return ("" if domain == "ai.onnx" else domain), version

    def _entry(self, end: int) -> tuple[str | None, str | None]:
        """Return a key and its value, None for one that is too long."""
        texts: list[str | None] = ["", ""]
        for number, wire, value in self._wire.fields(end):
            if wire == LENGTH and number in (1, 2):
                texts[number - 1] = self._wire.text(value, _MAX_METADATA_BYTES)
        return texts[0], texts[1]


def external_paths(header: OnnxHeader, main: str) -> Iterator[tuple[str, str | None]]:
    """Yield each location of external data, and its path in the version's folder.

    A location is relative to the folder of `main`. The path is None where the location
    leads out of that folder, or is no relative path at all.
    """
    folder = main.rpartition("/")[0]
    for location in header.external_files:
        parts = [part for part in location.split("/") if part not in ("", ".")]
        if not parts or location.startswith("/") or "\\" in location or ".." in parts:
            yield shown(location), None
        else:
            yield shown(location), "/".join([folder, *parts] if folder else parts)
