"""A network of MobileNetV2's size with seeded random weights, written when it is needed.

Layer layout: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", table 2, width 1.0, 224x224. Batch normalisation is folded into the
convolutions, as exporters do. Speed does not depend on the weights' values; their scale
keeps activations finite and away from subnormal numbers, which would be slow.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAME: Final = "mobilenetv2_sized"
INPUT: Final = "image"
INPUT_SHAPE: Final = (3, 224, 224)
CLASSES: Final = 1000

_SEED: Final = 0
_STEM: Final = 32
_HEAD: Final = 1280
# Expansion, output channels, repeats, stride of the first: the paper's t, c, n, s.
_STAGES: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(slots=True)
class _Graph:
    """Nodes and weights so far; `macs` counts multiply-adds of one image."""

    generator: np.random.Generator
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    parameters: int = 0
    macs: int = 0
    size: int = INPUT_SHAPE[1]

    def conv(
        self,
        source: str,
        name: str,
        *,
        channels: tuple[int, int],
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        relu6: bool = True,
    ) -> str:
        """Append a convolution with bias (the folded batch normalisation) and its Relu6."""
        into, out = channels
        group = into if depthwise else 1
        shape = (out, into // group, kernel, kernel)
        weight = f"{name}.weight"
        self._weight(weight, shape, fan_in=shape[1] * kernel * kernel)
        self._weight(f"{name}.bias", (out,), fan_in=out)
        self.nodes.append(
            helper.make_node(
                "Conv",
                [source, weight, f"{name}.bias"],
                [name],
                name,
                kernel_shape=[kernel, kernel],
                strides=[stride, stride],
                pads=[kernel // 2] * 4,
                group=group,
            )
        )
        self.size = -(-self.size // stride)
        self.macs += int(np.prod(shape)) * self.size**2
        if not relu6:
            return name
        return self.op("Clip", [name, "zero", "six"], f"{name}.relu6")

    def op(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, value: float) -> None:
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))

    def linear(self, source: str, name: str, *, into: int, out: int) -> None:
        self._weight(f"{name}.weight", (into, out), fan_in=into)
        self._weight(f"{name}.bias", (out,), fan_in=into)
        self.op("Gemm", [source, f"{name}.weight", f"{name}.bias"], name)
        self.macs += into * out

    def _weight(self, name: str, shape: tuple[int, ...], *, fan_in: int) -> None:
        scale = np.sqrt(2.0 / fan_in)  # He et al. 2015: variance is kept through Relu
        values = (self.generator.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        self.parameters += values.size


@dataclass(frozen=True, slots=True)
class Built:
    """A written model: where it is, how large, and multiply-adds of one image."""

    path: Path
    parameters: int
    macs: int


def write_mobilenetv2_sized(repository: Path) -> Built:
    """Write the network as version 1 of `NAME` in a repository in Triton's layout.

    Input `image` FP32 [batch,3,224,224], output `logits` FP32 [batch,1000].
    """
    graph = _Graph(np.random.default_rng(_SEED))
    logits = _layers(graph)
    batch = "batch"
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            NAME,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, *INPUT_SHAPE])],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, [batch, CLASSES])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="benchmarks.models",
    )
    onnx.checker.check_model(model, full_check=True)
    path = repository / NAME / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(model, path)
    return Built(path=path, parameters=graph.parameters, macs=graph.macs)


def _layers(graph: _Graph) -> str:
    graph.constant("zero", 0.0)
    graph.constant("six", 6.0)
    last = graph.conv(INPUT, "stem", channels=(3, _STEM), kernel=3, stride=2)
    channels = _STEM
    for stage, (expansion, out, repeats, first_stride) in enumerate(_STAGES):
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            name = f"stage{stage}.{repeat}"
            last = _inverted_residual(graph, last, name, (channels, out), expansion, stride)
            channels = out
    last = graph.conv(last, "head", channels=(channels, _HEAD))
    last = graph.op("GlobalAveragePool", [last], "pool")
    last = graph.op("Flatten", [last], "features")
    graph.linear(last, "logits", into=_HEAD, out=CLASSES)
    return "logits"


def _inverted_residual(
    graph: _Graph, source: str, name: str, channels: tuple[int, int], expansion: int, stride: int
) -> str:
    into, out = channels
    wide = into * expansion
    last = source
    if expansion > 1:
        last = graph.conv(last, f"{name}.expand", channels=(into, wide))
    last = graph.conv(
        last,
        f"{name}.depthwise",
        channels=(wide, wide),
        kernel=3,
        stride=stride,
        depthwise=True,
    )
    last = graph.conv(last, f"{name}.project", channels=(wide, out), relu6=False)
    if stride == 1 and into == out:
        return graph.op("Add", [source, last], f"{name}.add")
    return last
