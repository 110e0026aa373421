"""The shipped digit classifiers are accurate, small and what their golden vectors say."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from farm.zoo import heldout_digits_path, models_dir
from farm.zoo.train_digits import answer, split_digits

MODELS = ["digits", "digits_int8"]


def model_file(name: str) -> Path:
    return models_dir() / name / "1" / "model.onnx"


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def heldout() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    data = arrays(heldout_digits_path())
    return data["images"].astype(np.float32), data["labels"]


@pytest.mark.parametrize("name", MODELS)
def test_heldout_accuracy(
    name: str, heldout: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> None:
    images, labels = heldout
    _, label = answer(model_file(name), images)
    assert (label == labels).mean() >= 0.97


@pytest.mark.parametrize("name", MODELS)
def test_signature_and_size(name: str) -> None:
    file = model_file(name)
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert file.stat().st_size < 300_000
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("image", "tensor(float)", ["batch", 1, 8, 8])
    ]
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("probabilities", "tensor(float)", ["batch", 10]),
        ("label", "tensor(int64)", ["batch"]),
    ]


@pytest.mark.parametrize("name", MODELS)
def test_model_imports_only_plain_opset_17(name: str) -> None:
    model = onnx.load(model_file(name))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]


@pytest.mark.parametrize("name", MODELS)
def test_golden_vectors_hold(name: str) -> None:
    golden = arrays(model_file(name).parent / "golden" / "any" / "heldout.npz")
    probabilities, label = answer(model_file(name), golden["input:image"])
    expected = golden["output:probabilities"]
    rtol, atol = float(golden["rtol"]), float(golden["atol"])
    np.testing.assert_allclose(probabilities, expected, rtol, atol)
    np.testing.assert_array_equal(label, golden["output:label"])


@pytest.mark.parametrize("name", MODELS)
def test_golden_labels_cannot_flip_within_the_tolerance(name: str) -> None:
    golden = arrays(model_file(name).parent / "golden" / "any" / "heldout.npz")
    ranked = np.sort(golden["output:probabilities"], axis=1)
    assert set(golden["output:label"]) == set(range(10))
    assert (ranked[:, -1] - ranked[:, -2]).min() > 2 * (golden["atol"] + golden["rtol"])


def test_golden_vectors_tell_the_models_apart() -> None:
    golden = arrays(model_file("digits").parent / "golden" / "any" / "heldout.npz")
    other, _ = answer(model_file("digits_int8"), golden["input:image"])
    expected = golden["output:probabilities"]
    assert not np.allclose(other, expected, golden["rtol"], golden["atol"])


def test_fp32_row_is_bit_equal_alone_and_in_a_batch(
    heldout: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> None:
    images, _ = heldout
    alone = np.concatenate([answer(model_file("digits"), images[i : i + 1])[0] for i in range(32)])
    for batch in range(2, 33):
        together, _ = answer(model_file("digits"), images[:batch])
        np.testing.assert_array_equal(together, alone[:batch], f"batch of {batch}", strict=True)


def test_int8_model_multiplies_int8_tensors() -> None:
    graph = onnx.load(model_file("digits_int8")).graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    quantised = [n for n in graph.node if n.op_type == "QuantizeLinear"]
    dequantised = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"}
    products = [n for n in graph.node if n.op_type == "Gemm"]

    assert [tensors[n.input[2]].dtype for n in quantised] == [np.int8, np.int8]
    assert len(products) == 2
    for product in products:
        activation, weight = (dequantised[name] for name in product.input[:2])
        assert tensors[activation.input[2]].dtype == np.int8
        assert tensors[weight.input[0]].dtype == np.int8
        assert tensors[weight.input[1]].shape == (tensors[weight.input[0]].shape[1],)


def test_int8_accumulators_cannot_overflow() -> None:
    graph = onnx.load(model_file("digits_int8")).graph
    tensors = {t.name: numpy_helper.to_array(t).astype(np.int64) for t in graph.initializer}
    for layer in ("hidden", "out"):
        weight, bias = tensors[f"{layer}_weight_quantized"], tensors[f"{layer}_bias_quantized"]
        assert (255 * np.abs(weight).sum(axis=0) + np.abs(bias)).max() < 2**31
        assert 2 * 255 * np.abs(weight).max() < 2**15  # pairs are summed in int16 without VNNI


def test_int8_input_scale_holds_every_grey_level() -> None:
    graph = onnx.load(model_file("digits_int8")).graph
    scale = next(numpy_helper.to_array(t) for t in graph.initializer if t.name == "pixels_scale")
    quanta = np.arange(17) / 16 / scale
    np.testing.assert_allclose(quanta, np.round(quanta), atol=1e-4)
    assert quanta.max() <= 255


def test_split_is_deterministic_and_its_heldout_part_is_shipped() -> None:
    first, second = split_digits(), split_digits()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    shipped = arrays(heldout_digits_path())
    np.testing.assert_array_equal(shipped["images"], first.heldout_images)
    np.testing.assert_array_equal(shipped["labels"], first.heldout_labels, strict=True)


def test_no_heldout_image_was_trained_on() -> None:
    split = split_digits()
    assert len(split.train_images) + len(split.heldout_images) == 1797
    trained = {image.tobytes() for image in split.train_images}
    assert not trained & {image.tobytes() for image in split.heldout_images}


def test_importing_the_zoo_loads_no_array_library() -> None:
    code = (
        "import sys, farm.zoo; farm.zoo.models_dir();"
        "print(sorted({'numpy', 'onnx', 'onnxruntime', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
