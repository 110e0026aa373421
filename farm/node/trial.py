"""Tries ONNX Runtime on this machine: `python -m farm.node.trial`.

For a process of its own, because a wheel that was built for another CPU kills the
interpreter at import or at the first run. Prints one JSON object: `onnxruntime`, the
version, and `error`, what is wrong with its answers or "".
"""

import json
import sys
from importlib import resources
from io import TextIOWrapper
from pathlib import Path

from farm.core.errors import FarmError
from farm.goldens import read_golden
from farm.node.child_output import own_output
from farm.node.goldens import check_golden
from farm.node.sessions import Session


def try_models(models: Path) -> None:
    """Open and run every model of a repository that has goldens for any CPU, and compare.

    Raises:
        ModelUnavailableError: one does not open, or answers otherwise than its goldens.
    """
    for golden in sorted(models.glob("*/*/golden/any/*.npz")):
        version = golden.parents[2]
        check_golden(Session(version / "model.onnx", threads=1), read_golden(golden))


def main() -> None:
    told = TextIOWrapper(own_output())
    import onnxruntime

    error = ""
    try:
        with resources.as_file(resources.files("farm") / "zoo" / "models") as models:
            try_models(models)
    except FarmError as wrong:
        error = wrong.message
    told.write(json.dumps({"onnxruntime": onnxruntime.__version__, "error": error}) + "\n")
    told.flush()
    sys.exit(1 if error else 0)


if __name__ == "__main__":
    main()
