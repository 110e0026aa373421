"""Goldens of a model repository, run through a whole farm from the operator's machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farm.client import FarmClient, ReceiptView
from farm.core.errors import FarmError
from farm.goldens import difference, read_golden

_TIMEOUT_S = 60.0

# Goldens of another CPU class would not tell anything of the nodes that there are.
_ANY_CLASS = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenRun:
    """What a golden's inputs were answered with; `problem` is empty if it is as expected."""

    model: str
    version: str
    golden: str
    problem: str = ""
    receipt: ReceiptView | None = None

    def __str__(self) -> str:
        verdict = self.problem or "as expected"
        return f"{self.model} {self.version}, golden {self.golden}: {verdict}"


def run_goldens(
    client: FarmClient, repository: Path, served: set[tuple[str, str]]
) -> list[GoldenRun]:
    """Send the goldens of the versions in `served`; one that fails does not keep the others."""
    return [
        _run(client, model, version, file)
        for model, version, file in _goldens(repository)
        if (model, version) in served
    ]


def _goldens(repository: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield each golden with its model's name and version, in order."""
    for file in sorted(repository.glob(f"*/*/golden/{_ANY_CLASS}/*.npz")):
        version = file.parents[2]
        yield version.parent.name, version.name, file


def _run(client: FarmClient, model: str, version: str, file: Path) -> GoldenRun:
    try:
        golden = read_golden(file)
        result = client.infer(model, golden.inputs, version=version, timeout_s=_TIMEOUT_S)
    except FarmError as error:
        return GoldenRun(model=model, version=version, golden=file.name, problem=error.message)
    problems = []
    for name, expected in golden.outputs.items():
        if name not in result.outputs:
            problems.append(f"output '{name}' is missing")
        elif found := difference(result[name], expected, golden):
            problems.append(f"output '{name}' {found}")
    return GoldenRun(
        model=model,
        version=version,
        golden=file.name,
        problem="; ".join(problems),
        receipt=result.receipt,
    )
