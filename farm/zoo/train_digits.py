"""Train the zoo's digit classifiers: `python -m farm.zoo.train_digits [--out DIR]`.

Writes, below DIR (default: this package's folder), a float32 model, its int8 twin, the
golden vectors of both and the held-out images. Needs the development dependencies
scikit-learn (data and training) and onnx; nothing else in `farm` imports this module.

Two runs on one machine write the same bytes. Another machine's BLAS adds in another order,
so its weights differ in the last digits; that is why the trained files are committed.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

SEED: Final = 0
HELD_OUT_SHARE: Final = 0.25
HIDDEN_UNITS: Final = 256
GREY_LEVELS: Final = 16  # pixels are whole numbers, 0 (paper) to 16 (ink)
GOLDEN_ROWS: Final = 16

# Probabilities agree within `|answer - golden| <= atol + rtol * |golden|` (numpy.isclose).
FP32_RTOL: Final = 1e-4
FP32_ATOL: Final = 1e-5
# The int8 products are summed exactly in int32 on every CPU, but a float activation that
# falls between two quanta may round up on x86 and down on ARM (kernels differ in fusing and
# in the order of float operations). On the held-out images one quantum of one hidden unit
# moves a probability by at most 0.006; on the golden ones, 200 random draws that moved every
# unit by -1, 0 or 1 quantum changed none by more than 0.03.
INT8_RTOL: Final = 0.0
INT8_ATOL: Final = 0.05
# `label` is compared exactly: it cannot flip while the margin exceeds twice the tolerance.
GOLDEN_MARGIN: Final = 0.5


class Split(NamedTuple):
    """Images are float32 [n, 1, 8, 8], pixels 0..16; labels are int64 [n], 0..9."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    heldout_images: NDArray[np.float32]
    heldout_labels: NDArray[np.int64]


def split_digits() -> Split:
    """The 1797 digits of `sklearn.datasets.load_digits` as 1347 to train on and 450 held out."""
    digits = load_digits()
    images = digits.images.astype(np.float32)[:, np.newaxis]
    labels = digits.target.astype(np.int64)
    train, heldout, train_labels, heldout_labels = train_test_split(
        images, labels, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=labels
    )
    return Split(train, train_labels, heldout, heldout_labels)


def half_pixel_shifts(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The images followed by copies moved half a pixel right, left, down and up.

    Half a pixel is the mean of an image and its neighbour one pixel on. In 5-fold
    cross-validation of the training part this gave 0.985, whole pixels 0.980, none 0.978.
    """
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    neighbours = (
        padded[:, :, 1:-1, :-2],
        padded[:, :, 1:-1, 2:],
        padded[:, :, :-2, 1:-1],
        padded[:, :, 2:, 1:-1],
    )
    return np.concatenate([images, *((images + n) / 2 for n in neighbours)])


def train(split: Split) -> MLPClassifier:
    """One hidden ReLU layer, fitted with Adam to the shifted training images, on one core."""
    images = half_pixel_shifts(split.train_images)
    labels = np.tile(split.train_labels, len(images) // len(split.train_labels))
    classifier = MLPClassifier((HIDDEN_UNITS,), alpha=0.1, max_iter=400, random_state=SEED)
    with threadpool_limits(1):
        return classifier.fit(images.reshape(len(images), -1) / GREY_LEVELS, labels)


class Layers(NamedTuple):
    """Weights are float64 [inputs, outputs], biases float64 [outputs]."""

    hidden_weight: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    out_weight: NDArray[np.float64]
    out_bias: NDArray[np.float64]


def live_layers(classifier: MLPClassifier) -> Layers:
    """The trained layers without the hidden units that weight decay has shrunk to a constant.

    Their weights (1e-5 and below, the others above 1e-2) are partly subnormal, which is slow,
    and as int8 they would get a scale at which the int32 bias comes close to overflow.
    """
    (hidden_weight, out_weight), (hidden_bias, out_bias) = (
        classifier.coefs_,
        classifier.intercepts_,
    )
    live = np.abs(hidden_weight).max(axis=0) > 1e-3
    constant = np.maximum(hidden_bias[~live], 0) @ out_weight[~live]
    return Layers(hidden_weight[:, live], hidden_bias[live], out_weight[live], out_bias + constant)


def to_onnx(classifier: MLPClassifier) -> onnx.ModelProto:
    """The network as ONNX: `image` [batch, 1, 8, 8] to `probabilities` and `label`."""
    layers = live_layers(classifier)
    constants = {"pixel_scale": np.asarray(1 / GREY_LEVELS), **layers._asdict()}
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["image", "pixel_scale"], ["scaled"], "scale"),
            helper.make_node("Flatten", ["scaled"], ["pixels"], "flatten"),
            helper.make_node(
                "Gemm", ["pixels", "hidden_weight", "hidden_bias"], ["hidden"], "hidden"
            ),
            helper.make_node("Relu", ["hidden"], ["activation"], "relu"),
            helper.make_node("Gemm", ["activation", "out_weight", "out_bias"], ["logits"], "out"),
            helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["label"], "argmax", axis=1, keepdims=0),
        ],
        "digits",
        [
            helper.make_tensor_value_info(
                "image", TensorProto.FLOAT, ["batch", 1, 8, 8], "NCHW, pixels 0 (paper) to 16 (ink)"
            )
        ],
        [
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ["batch", 10], "one per digit, sum 1"
            ),
            helper.make_tensor_value_info(
                "label", TensorProto.INT64, ["batch"], "the most probable digit"
            ),
        ],
        [
            numpy_helper.from_array(np.asarray(value, np.float32), name)
            for name, value in constants.items()
        ],
        doc_string="Handwritten digits 0 to 9, 8x8 pixels.",
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="farm.zoo.train_digits",
    )
    helper.set_model_props(
        model,
        {
            "labels": ",".join(map(str, range(10))),
            "preprocessing": "none: pixels 0..16 as float32, NCHW 1x8x8; the graph scales them",
            "training_data": "sklearn.datasets.load_digits",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class _OneBatch:
    """A calibration reader (the protocol of `quantize_static`) of a single batch."""

    def __init__(self, images: NDArray[np.float32]) -> None:
        self._batches = iter([{"image": images}])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


def quantise(fp32: Path, int8: Path, calibration: NDArray[np.float32]) -> None:
    """Write the QDQ twin of `fp32` to `int8`: both matrix products in int8.

    Softmax and the logits stay float32: neighbouring int8 logits would be 0.12 apart.
    """
    # Symbolic shape inference needs sympy and the optimiser would add vendor opsets; a
    # graph this plain needs neither.
    quant_pre_process(fp32, int8, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        onnx.load(int8),
        int8,
        _OneBatch(calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Gemm"],
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        # 7-bit weights: on x86 without VNNI the sum of two 8-bit products saturates.
        reduce_range=True,
        extra_options={
            "OpTypesToExcludeOutputQuantization": ["Gemm"],
            # Fifteen quanta per grey level. The calibrated range 0..1 would put level 8 at
            # 127.5 quanta, a tie that each CPU may round its own way.
            "TensorQuantOverrides": {
                "pixels": [
                    {"scale": np.array(1 / 240, np.float32), "zero_point": np.array(-128, np.int8)}
                ]
            },
        },
    )
    onnx.checker.check_model(onnx.load(int8), full_check=True)


def answer(model: Path, images: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """`probabilities` and `label` from ONNX Runtime on the CPU, one thread, in one batch."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    probabilities, label = session.run(["probabilities", "label"], {"image": images})
    return probabilities, label


def golden_rows(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], rows: int = GOLDEN_ROWS
) -> list[int]:
    """Indices of clear, correct answers: the first of each digit in turn until `rows`."""
    ranked = np.sort(probabilities, axis=1)
    clear = (ranked[:, -1] - ranked[:, -2] >= GOLDEN_MARGIN) & (probabilities.argmax(1) == labels)
    of_digit = [np.flatnonzero(clear & (labels == digit)) for digit in range(10)]
    return [int(of_digit[i % 10][i // 10]) for i in range(rows)]


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Uncompressed: numpy stamps members 1980-01-01, and zlib versions cannot differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **arrays)


def write_golden(model: Path, split: Split, *, rtol: float, atol: float) -> None:
    """Write `golden/any/heldout.npz` beside `model`: valid on any CPU within the tolerance."""
    rows = golden_rows(answer(model, split.heldout_images)[0], split.heldout_labels)
    images = split.heldout_images[rows]
    probabilities, label = answer(model, images)
    write_npz(
        model.parent / "golden" / "any" / "heldout.npz",
        {
            "input:image": images,
            "output:probabilities": probabilities,
            "output:label": label,
            "rtol": np.asarray(rtol, np.float64),
            "atol": np.asarray(atol, np.float64),
        },
    )


def build(out: Path) -> dict[str, Path]:
    """Train and write everything below `out`; return the model files by model name."""
    split = split_digits()
    files = {name: out / "models" / name / "1" / "model.onnx" for name in ("digits", "digits_int8")}
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(train(split)), files["digits"])
    quantise(files["digits"], files["digits_int8"], split.train_images)
    write_golden(files["digits"], split, rtol=FP32_RTOL, atol=FP32_ATOL)
    write_golden(files["digits_int8"], split, rtol=INT8_RTOL, atol=INT8_ATOL)
    write_npz(
        out / "heldout_digits.npz",
        {"images": split.heldout_images.astype(np.uint8), "labels": split.heldout_labels},
    )
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the zoo's digit classifiers.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    out: Path = parser.parse_args().out
    split = split_digits()
    for name, file in build(out).items():
        correct = int((answer(file, split.heldout_images)[1] == split.heldout_labels).sum())
        total = len(split.heldout_labels)
        sys.stdout.write(
            f"{name}: held-out accuracy {correct / total:.4f} ({correct}/{total}), "
            f"{file.stat().st_size} bytes\n"
        )


if __name__ == "__main__":
    main()
