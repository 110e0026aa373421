"""Running the `farm` command in this process, and what has to hold of every run."""

import io
import re
from typing import Any

import numpy as np
from click.testing import Result
from typer.testing import CliRunner

from farm.cli.main import app


def farm(*arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, env=env)


def ok(*arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> str:
    result = farm(*arguments, stdin=stdin, env=env)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def fails(code: int, *arguments: str) -> str:
    """Run a command that must fail; return its one line on standard error."""
    result = farm(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert re.fullmatch(r"farm: .*\n", result.stderr)
    return result.stderr


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
