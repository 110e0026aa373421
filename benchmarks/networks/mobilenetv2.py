"""A network of MobileNetV2's size: 3.5 M parameters, 301 M multiply-adds.

Layer layout: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", table 2, width 1.0, 224x224.
"""

from pathlib import Path
from typing import Final

from benchmarks.networks.graph import INPUT, Built, Graph

NAME: Final = "mobilenetv2_sized"

_INPUT_SHAPE: Final = (3, 224, 224)
_CLASSES: Final = 1000
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


def write_mobilenetv2_sized(repository: Path) -> Built:
    """Write the network; output `logits` FP32 [batch,1000]."""
    graph = Graph(_INPUT_SHAPE)
    last = graph.conv(INPUT, "stem", channels=(3, _STEM), kernel=3, stride=2, activation="relu6")
    channels = _STEM
    for stage, (expansion, out, repeats, first_stride) in enumerate(_STAGES):
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            name = f"stage{stage}.{repeat}"
            last = _inverted_residual(graph, last, name, (channels, out), expansion, stride)
            channels = out
    last = graph.conv(last, "head", channels=(channels, _HEAD), activation="relu6")
    output = graph.linear(graph.features(last), "logits", into=_HEAD, out=_CLASSES)
    return graph.write(repository, NAME, output=output, width=_CLASSES)


def _inverted_residual(
    graph: Graph, source: str, name: str, channels: tuple[int, int], expansion: int, stride: int
) -> str:
    into, out = channels
    wide = into * expansion
    last = source
    if expansion > 1:
        last = graph.conv(last, f"{name}.expand", channels=(into, wide), activation="relu6")
    last = graph.conv(
        last,
        f"{name}.depthwise",
        channels=(wide, wide),
        kernel=3,
        stride=stride,
        depthwise=True,
        activation="relu6",
    )
    last = graph.conv(last, f"{name}.project", channels=(wide, out))
    if stride == 1 and into == out:
        return graph.add(source, last, f"{name}.add")
    return last
