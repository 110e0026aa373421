"""Code of a test that runs in every process of one farm, before the farm's own does."""

import os
from pathlib import Path


def stand_in(folder: Path, code: str) -> dict[str, str]:
    """Return the environment of processes that are to run some code first; it lies in `folder`.

    Python imports it at its start from the first folder that it looks for modules in.
    """
    (folder / "sitecustomize.py").write_text(code)
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join((str(folder), before)) if before else str(folder)}
