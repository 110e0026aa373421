"""A network of ResNet-50's size: 25.5 M parameters, 4.1 G multiply-adds.

Layer layout: He et al. 2016, "Deep Residual Learning for Image Recognition", table 1,
224x224, with the stride in the 3x3 convolution as later implementations have it.
"""

from pathlib import Path
from typing import Final

from benchmarks.networks.graph import INPUT, Built, Graph

NAME: Final = "resnet50_sized"

_INPUT_SHAPE: Final = (3, 224, 224)
_CLASSES: Final = 1000
_STEM: Final = 64
_EXPANSION: Final = 4
# Bottleneck channels, blocks, stride of the first block.
_STAGES: Final = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def write_resnet50_sized(repository: Path) -> Built:
    """Write the network; output `logits` FP32 [batch,1000]."""
    graph = Graph(_INPUT_SHAPE)
    last = graph.conv(INPUT, "stem", channels=(3, _STEM), kernel=7, stride=2, activation="relu")
    last = graph.max_pool(last, "stem.pool", kernel=3, stride=2)
    channels = _STEM
    for stage, (narrow, blocks, first_stride) in enumerate(_STAGES):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            name = f"stage{stage}.{block}"
            last = _bottleneck(graph, last, name, (channels, narrow), stride)
            channels = narrow * _EXPANSION
    output = graph.linear(graph.features(last), "logits", into=channels, out=_CLASSES)
    return graph.write(repository, NAME, output=output, width=_CLASSES)


def _bottleneck(
    graph: Graph, source: str, name: str, channels: tuple[int, int], stride: int
) -> str:
    into, narrow = channels
    out = narrow * _EXPANSION
    last = graph.conv(source, f"{name}.reduce", channels=(into, narrow), activation="relu")
    last = graph.conv(
        last,
        f"{name}.spatial",
        channels=(narrow, narrow),
        kernel=3,
        stride=stride,
        activation="relu",
    )
    last = graph.conv(last, f"{name}.restore", channels=(narrow, out))
    if into != out or stride > 1:
        source = graph.conv(source, f"{name}.shortcut", channels=(into, out), stride=stride)
    return graph.add(source, last, f"{name}.add", "relu")
