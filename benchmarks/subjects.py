"""The networks that the serving benchmark asks for: model, request and right answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.networks import digits, mobilenetv2, resnet50
from benchmarks.networks.graph import INPUT, Built
from benchmarks.peers.onnx_models import open_session
from farm.client.codec import to_request
from farm.pb.open_inference_pb2 import ModelInferResponse

DIGITS: Final = digits.NAME
MOBILENET: Final = mobilenetv2.NAME
RESNET: Final = resnet50.NAME

TITLES: Final[Mapping[str, str]] = {
    DIGITS: "digits-sized",
    MOBILENET: "MobileNetV2-sized",
    RESNET: "ResNet-50-sized",
}

_BUILDERS: Final[Mapping[str, Callable[[Path], Built]]] = {
    DIGITS: digits.write_digits_sized,
    MOBILENET: mobilenetv2.write_mobilenetv2_sized,
    RESNET: resnet50.write_resnet50_sized,
}
# A second holds too few answers of the largest network.
_TIME_SCALES: Final[Mapping[str, float]] = {DIGITS: 1.0, MOBILENET: 1.0, RESNET: 2.0}

# Batches add up in another order than single rows.
_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network, a file with one serialised request of one row, and its answer.

    `time_scale` multiplies every measurement's seconds.
    """

    name: str
    model: Path
    request: Path
    expected: Any
    time_scale: float

    def check(self, replies: Iterable[bytes]) -> None:
        """Compare replies with what ONNX Runtime answers to the request.

        Raises:
            RuntimeError: one differs.
        """
        limit = _TOLERANCE * float(np.abs(self.expected).max())
        for reply in replies:
            response = ModelInferResponse.FromString(reply)
            (raw,) = response.raw_output_contents
            answer = np.frombuffer(raw, np.float32)
            if answer.shape != self.expected.shape or np.abs(answer - self.expected).max() > limit:
                raise RuntimeError(f"a reply of {self.name} is not what ONNX Runtime answers")


def write_subjects(folder: Path, names: Iterable[str]) -> list[Subject]:
    """Write models below `folder`/models and requests beside them."""
    subjects = []
    generator = np.random.default_rng(0)
    for name in names:
        built = _BUILDERS[name](folder / "models")
        image = generator.standard_normal((1, *built.input_shape)).astype(np.float32)
        message = to_request(name, {INPUT: image}, version="", outputs=(), request_id="")
        request = folder / f"{name}.request"
        request.write_bytes(message.SerializeToString())
        (expected,) = open_session(built.path).run(None, {INPUT: image})
        subjects.append(
            Subject(
                name=name,
                model=built.path,
                request=request,
                expected=expected.ravel(),
                time_scale=_TIME_SCALES[name],
            )
        )
    return subjects


def rows_per_batch(replies: Iterable[bytes]) -> float | None:
    """Return the mean rows of a batch from the receipts of replies; None without receipts.

    Requests bring one row, so one with `rows` rows aboard stands for 1/rows of a batch.
    """
    receipts = [ModelInferResponse.FromString(reply).parameters for reply in replies]
    rows = [r["farm_batch_size"].int64_param for r in receipts if "farm_batch_size" in r]
    return len(rows) / sum(1 / aboard for aboard in rows) if rows else None
