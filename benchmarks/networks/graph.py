"""Builds an ONNX graph of convolutions and linear layers and counts what it holds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT: Final = "image"

Activation = Literal["relu", "relu6"]

_SEED: Final = 0
_BATCH: Final = "batch"


@dataclass(frozen=True, slots=True)
class Built:
    """A written model: where it is, how large, and multiply-adds of one image."""

    name: str
    path: Path
    input_shape: tuple[int, int, int]
    parameters: int
    macs: int


@dataclass(slots=True)
class Graph:
    """Nodes and weights so far. `macs` counts multiply-adds of one image of `input_shape`.

    Batch normalisation is folded into the convolutions' biases, as exporters do.
    """

    input_shape: tuple[int, int, int]
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    parameters: int = 0
    macs: int = 0
    # Height and width of each tensor that a convolution or pooling made.
    _sizes: dict[str, int] = field(default_factory=dict)
    _generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(_SEED))

    def conv(
        self,
        source: str,
        name: str,
        *,
        channels: tuple[int, int],
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        activation: Activation | None = None,
    ) -> str:
        """Append a convolution with bias and its activation; return the tensor's name."""
        into, out = channels
        group = into if depthwise else 1
        shape = (out, into // group, kernel, kernel)
        weight = f"{name}.weight"
        self._weight(weight, shape, fan_in=shape[1] * kernel * kernel)
        self._weight(f"{name}.bias", (out,), fan_in=out)
        self.op(
            "Conv",
            [source, weight, f"{name}.bias"],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=group,
        )
        size = self._shrunk(source, name, stride)
        self.macs += int(np.prod(shape)) * size**2
        return self.activated(name, activation)

    def max_pool(self, source: str, name: str, *, kernel: int, stride: int) -> str:
        """Append a padded max pooling."""
        self._shrunk(source, name, stride)
        return self.op(
            "MaxPool",
            [source],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
        )

    def add(self, one: str, other: str, name: str, activation: Activation | None = None) -> str:
        """Append the sum of two tensors of one shape and its activation."""
        self._sizes[name] = self._size(one)
        return self.activated(self.op("Add", [one, other], name), activation)

    def activated(self, source: str, activation: Activation | None) -> str:
        if activation is None:
            return source
        name = f"{source}.{activation}"
        if source in self._sizes:
            self._sizes[name] = self._sizes[source]
        if activation == "relu":
            return self.op("Relu", [source], name)
        return self.op(
            "Clip", [source, self._constant("zero", 0.0), self._constant("six", 6.0)], name
        )

    def features(self, source: str) -> str:
        """Append the mean over height and width, as one vector an image."""
        pooled = self.op("GlobalAveragePool", [source], "pool")
        return self.op("Flatten", [pooled], "features")

    def linear(self, source: str, name: str, *, into: int, out: int) -> str:
        self._weight(f"{name}.weight", (into, out), fan_in=into)
        self._weight(f"{name}.bias", (out,), fan_in=into)
        self.macs += into * out
        return self.op("Gemm", [source, f"{name}.weight", f"{name}.bias"], name)

    def op(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def write(self, repository: Path, name: str, *, output: str, width: int) -> Built:
        """Write `image` FP32 [batch, channels, height, width] to `output` FP32 [batch, width]."""
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                name,
                [
                    helper.make_tensor_value_info(
                        INPUT, TensorProto.FLOAT, [_BATCH, *self.input_shape]
                    )
                ],
                [helper.make_tensor_value_info(output, TensorProto.FLOAT, [_BATCH, width])],
                self.weights,
            ),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
            producer_name="benchmarks.networks",
        )
        onnx.checker.check_model(model, full_check=True)
        path = repository / name / "1" / "model.onnx"
        path.parent.mkdir(parents=True)
        onnx.save(model, path)
        return Built(name, path, self.input_shape, self.parameters, self.macs)

    def _size(self, tensor: str) -> int:
        return self._sizes.get(tensor, self.input_shape[1])

    def _shrunk(self, source: str, name: str, stride: int) -> int:
        self._sizes[name] = -(-self._size(source) // stride)
        return self._sizes[name]

    def _constant(self, name: str, value: float) -> str:
        if all(weight.name != name for weight in self.weights):
            self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def _weight(self, name: str, shape: tuple[int, ...], *, fan_in: int) -> None:
        scale = np.sqrt(2.0 / fan_in)  # He et al. 2015: variance is kept through Relu
        values = (self._generator.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        self.parameters += values.size
