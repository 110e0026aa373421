"""The boards and models that the simulator knows, from the data file beside this one."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field

from farm.core.models import LatencyCurve
from farm.sim.reading import Above, FromZero, Section, parse_yaml

_FILE = "boards.yaml"

# What a node's own processes take beside its models: raylet, agents and an actor with ONNX
# Runtime, PSS, measured.
BASE_MEMORY_MB = 245

Basis = Literal["measured", "assumed"]


class LinkFigures(Section):
    """A network link, each way: a fixed part, a speed, and up to so much more at random."""

    base_ms: FromZero
    mbit_per_s: Above
    jitter_ms: FromZero = 0.0


class Board(Section):
    """A kind of single-board computer; `farm.energy` has its cores and watts."""

    memory_mb: Above
    link: LinkFigures


class ModelFigures(Section):
    """What a model takes: see the data file for what each figure is."""

    row_bytes: Annotated[int, Field(ge=4)]
    output_bytes: Annotated[int, Field(ge=4)]
    memory_mb: Above
    basis: Basis
    milliseconds: Mapping[str, Mapping[int, Above]]
    batch_cost: Mapping[int, Above]

    def curve(self, board: str, *, threads: int, max_rows: int) -> LatencyCurve:
        """Return seconds by rows on a board with so many threads a batch, which is known."""
        one_row_ms = self.milliseconds[board][threads]
        cost = LatencyCurve(tuple(sorted(self.batch_cost.items())))
        sizes = [1]
        while sizes[-1] < max_rows:
            sizes.append(min(sizes[-1] * 2, max_rows))
        points = tuple((rows, one_row_ms / 1e3 * cost.seconds(rows)) for rows in sizes)
        return LatencyCurve(points, threads)


class Figures(Section):
    """Everything in the data file."""

    boards: Mapping[str, Board]
    models: Mapping[str, ModelFigures]


@cache
def figures() -> Figures:
    """Return what the shipped data file says."""
    text = files("farm.sim").joinpath("data", _FILE).read_text(encoding="utf-8")
    return parse_yaml(text, Figures, name=_FILE)
