"""Runs programs of this machine, as root."""

import subprocess
from pathlib import Path

from lab.terms import LabError


def run(*arguments: str | Path, timeout_s: float = 60.0) -> str:
    """Run a program and return what it printed.

    Raises:
        LabError: it failed or took longer than `timeout_s`.
    """
    line = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{' '.join(line)}: not done after {timeout_s:.0f} s") from late
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(line)}: exit code {done.returncode}: {said[-2000:]}")
    return done.stdout
