"""Run the fault tests and write what they measured: docs/reliability.md, and its figures as JSON.

As root it runs those on the lab's hosts, too; as another user the figures of those stay as they
were measured before.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.reliability import PAGE, PROMISES, Runs, page, promised, read_promises, read_runs
from benchmarks.report import FOLDER, ROOT, circumstances

KEPT: Final = FOLDER / "faults.json"

# Set for the tests: each adds a line to that file.
_VARIABLE: Final = "FARM_FAULT_FIGURES"
_LAB: Final = "tests/lab/"


def fault_tests() -> list[str]:
    """Return the tests that hold the promises, those of the lab only for root."""
    promises = read_promises(PROMISES.read_text(encoding="utf-8"))
    tests = {test for promise in promises for test in promise.tests}
    return sorted(test for test in tests if os.geteuid() == 0 or not test.startswith(_LAB))


def run(rounds: int) -> Runs:
    """Run the tests so many times and return what they told.

    Raises:
        SystemExit: a test failed; a promise that does not hold has no figures.
    """
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        told = Path(name) / "figures"
        told.touch()
        for _ in range(rounds):
            ended = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-m", "", *fault_tests()],
                cwd=ROOT,
                env={**os.environ, _VARIABLE: str(told)},
                check=False,
            )
            if ended.returncode:
                raise SystemExit("a promise did not hold: nothing was written")
        return read_runs(told.read_text(encoding="utf-8").splitlines())


def kept() -> dict[str, Any]:
    """Return what was measured last, {} if nothing was."""
    if not KEPT.exists():
        return {}
    found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def text() -> str:
    """Return the page as it is to be: the promises of today with the figures that are kept."""
    result = kept()
    promises = read_promises(PROMISES.read_text(encoding="utf-8"))
    return page(promises, result["runs"], result["circumstances"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, choices=range(1, 21))
    parser.add_argument("--figures", type=Path, help="of tests that were run already")
    parser.add_argument("--page-only", action="store_true", help="after a change of the promises")
    chosen = parser.parse_args()
    if not chosen.page_only:
        facts = circumstances()
        if chosen.figures is not None:
            new = read_runs(chosen.figures.read_text(encoding="utf-8").splitlines())
        else:
            new = run(chosen.rounds)
        promises = read_promises(PROMISES.read_text(encoding="utf-8"))
        runs = promised({**kept().get("runs", {}), **new}, promises)
        document = json.dumps({"circumstances": facts, "runs": runs}, indent=1)
        KEPT.write_text(document + "\n", encoding="utf-8")
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
