"""A network of the shipped digits model's size: 8x8 pixels, one hidden layer, ten classes."""

from pathlib import Path
from typing import Final

from benchmarks.networks.graph import INPUT, Built, Graph

NAME: Final = "digits_sized"

_INPUT_SHAPE: Final = (1, 8, 8)
_PIXELS: Final = 64
_HIDDEN: Final = 64
_CLASSES: Final = 10


def write_digits_sized(repository: Path) -> Built:
    """Write the network; output `probabilities` FP32 [batch,10]."""
    graph = Graph(_INPUT_SHAPE)
    pixels = graph.op("Flatten", [INPUT], "pixels")
    hidden = graph.linear(pixels, "hidden", into=_PIXELS, out=_HIDDEN)
    logits = graph.linear(graph.activated(hidden, "relu"), "logits", into=_HIDDEN, out=_CLASSES)
    output = graph.op("Softmax", [logits], "probabilities", axis=1)
    return graph.write(repository, NAME, output=output, width=_CLASSES)
