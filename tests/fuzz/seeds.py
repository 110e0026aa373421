"""What the fuzzer starts from: good requests, and the words that a farm under fire knows."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from barrage import Shot, good_request
from google.protobuf.message import Message
from hypothesis import strategies as st
from served_models import adder
from strategies import messages

from farm.client.channel import admin_methods, inference_methods
from farm.core.tensors import Datatype, pack_strings
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
)

WORDS: Final = (
    *("simple", "simple_string", "simple_identity", "digits"),
    *("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1", "image", "label", "probabilities"),
    *(str(datatype) for datatype in Datatype),
    *("1", "2", "-1", "01", "99999999999999999999", "", "TRUE", "nobody"),
    *("priority", "timeout", "sequence_id", "classification", "binary_data_output", "headers"),
    *("farm_receipt", "farm_model_abi", "triton_enable_empty_final_response"),
    *("shared_memory_region", "log_verbose_level", "log_info", "log_format", ">=1,<2"),
)
BLOBS: Final = (b"", bytes(64), bytes(256), b"\x01\x00\x00\x007", b"\xff\xff\xff\xff", bytes(63))

# A model to load, and words to change in it.
MODEL: Final = onnx.ModelProto.FromString(adder(1.0))
ONNX_WORDS: Final = (
    *("x", "y", "constant", "batch", "", "ai.onnx", "com.microsoft", "Add", "Loop", "If", "Cast"),
    *("Reshape", "MatMul", "NonZero", "location", "/etc/passwd", "../model.onnx", "Gather"),
)

# Control is aimed at models that nobody else uses.
SCRATCH: Final = (
    *("scratch", "scratch-2", "", ".", "..", "a/b", "\x00", "scratch" * 30),
    *("config", "file:1/model.onnx", "file:../x", "file:/x", "unload_dependents", "{}"),
    *('{"max_batch_size": 4}', '{"max_batch_size": -1}', '{"name": "other"}', "{" * 500),
)

_CONTROL: Final = frozenset({"RepositoryModelLoad", "RepositoryModelUnload"})


def _infer(model: str, datatype: str, *raws: bytes) -> ModelInferRequest:
    request = ModelInferRequest(model_name=model, id="seed")
    for position, raw in enumerate(raws):
        request.inputs.add(name=f"INPUT{position}", datatype=datatype, shape=[1, 16])
        request.raw_input_contents.append(raw)
    return request


def _typed() -> ModelInferRequest:
    request = _infer("simple", "INT32", b"", b"")
    del request.raw_input_contents[:]
    for given in request.inputs:
        given.contents.int_contents.extend(range(16))
    return request


def _digit() -> ModelInferRequest:
    request = ModelInferRequest(model_name="digits")
    request.inputs.add(name="image", datatype="FP32", shape=[1, 1, 8, 8])
    request.raw_input_contents.append(np.ones(64, dtype=np.float32).tobytes())
    request.outputs.add(name="probabilities").parameters["classification"].int64_param = 3
    request.parameters["priority"].uint64_param = 1
    request.parameters["timeout"].int64_param = 10_000_000
    request.parameters["farm_model_abi"].string_param = ">=1"
    return request


def load_of(model: bytes) -> RepositoryModelLoadRequest:
    """A load of a file that is sent with it."""
    request = RepositoryModelLoadRequest(model_name="scratch")
    request.parameters["config"].string_param = '{"backend": "onnxruntime", "max_batch_size": 4}'
    request.parameters["file:1/model.onnx"].bytes_param = model
    return request


GOOD_INFER: Final = (
    good_request(),
    _infer("simple_string", "BYTES", *[pack_strings([b"7"] * 16)] * 2),
    _infer("simple_identity", "BYTES", pack_strings([b"word", b""] * 8)),
    _typed(),
    _digit(),
)
GOOD_CONTROL: Final[Mapping[str, Message]] = {
    "RepositoryModelLoad": load_of(MODEL.SerializeToString()),
    "RepositoryModelUnload": RepositoryModelUnloadRequest(model_name="scratch"),
}
# To splice into others.
PIECES: Final = tuple(message.SerializeToString() for message in GOOD_INFER)
CONTROL_PIECES: Final = tuple(message.SerializeToString() for message in GOOD_CONTROL.values())


def infer_messages() -> st.SearchStrategy[bytes]:
    """Requests for inference, unary or on a stream."""
    return _serialised(ModelInferRequest, WORDS) | st.sampled_from(PIECES) | st.binary()


def other_shots() -> st.SearchStrategy[Shot]:
    """Calls of every other method but control, the operators' ones too."""
    return st.one_of(
        [
            (_serialised(method.request_type, WORDS) | st.binary()).map(
                lambda raw, m=method: Shot(m.path, raw, streamed=m.server_streaming)
            )
            for name, method in (*inference_methods().items(), *admin_methods().items())
            if not method.client_streaming and name not in _CONTROL
        ]
    )


def control_shots() -> st.SearchStrategy[Shot]:
    """Loads and unloads of models that nobody else uses."""
    methods = inference_methods()
    return st.one_of(
        [
            (
                _serialised(methods[name].request_type, SCRATCH)
                | st.just(GOOD_CONTROL[name].SerializeToString())
                | st.binary()
            ).map(lambda raw, path=methods[name].path: Shot(path, raw))
            for name in sorted(_CONTROL)
        ]
    )


def _serialised(kind: type[Message], words: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    return messages(kind, words=words, blobs=BLOBS).map(lambda m: m.SerializeToString())
