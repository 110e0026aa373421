"""Makes demo.svg: runs `farm demo` on a pseudo-terminal and draws what it printed."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 92


def main() -> None:
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "farm", "demo"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"},
    )
    os.close(theirs)
    printed = b""
    while True:
        try:
            chunk = os.read(mine, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        printed += chunk
    if process.wait():
        raise SystemExit(f"farm demo failed with {process.returncode}")
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print("[bold]$ farm demo[/bold]")
    console.print(Text.from_ansi(printed.decode().replace("\r\n", "\n")))
    console.save_svg(str(Path(__file__).with_name("demo.svg")), title="farm demo")


if __name__ == "__main__":
    main()
