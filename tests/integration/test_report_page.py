"""`farm report --output html` in a real browser."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from farm_history import HOSTILE, TERMS, write_history
from report_gateway import report_gateway

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
WAIT_S = 60

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.skipif(
        BROWSER is None, reason="there is no Chromium here; Debian has it: apt install chromium"
    ),
]


def browse(file: Path, profile: Path, *options: str) -> tuple[str, list[str]]:
    """Return a file's page as the browser has it, and what it wrote to its console."""
    assert BROWSER is not None
    # The browser's sandbox does not run as root.
    unboxed = ("--no-sandbox",) if os.geteuid() == 0 else ()
    ended = subprocess.run(
        [
            BROWSER, "--headless", "--disable-gpu", "--disable-dev-shm-usage", *unboxed,
            f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0", *options,
            "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=WAIT_S, check=True,
    )  # fmt: skip
    return ended.stdout, re.findall(r":CONSOLE.*", ended.stderr)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    ledger = write_history(folder / "ledger.db")
    file = folder / "report.html"
    try:
        with report_gateway(ledger, TERMS) as address:
            subprocess.run(
                [
                    sys.executable, "-m", "farm", "report", "--output", "html", "--to", str(file),
                    "--since", "2025-01-01T12:00Z", "--until", "2025-01-01T18:00Z",
                    "--connect", address,
                ],
                timeout=WAIT_S, check=True,
            )  # fmt: skip
    finally:
        ledger.close()
    return file


@pytest.mark.parametrize("colours", [(), ("--force-dark-mode",)], ids=["light", "dark"])
def test_it_opens_without_a_word_on_the_console(
    page: Path, tmp_path: Path, colours: tuple[str, ...]
) -> None:
    shown, console = browse(page, tmp_path, *colours)
    assert console == []
    # The parser of a browser repairs what is broken; here it found nothing to repair.
    assert _tags(shown) == _tags(page.read_text(encoding="utf-8"))
    assert shown.count("<svg") == 5
    assert "<script" not in shown


def test_a_page_with_a_script_would_be_heard(page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    text = page.read_text(encoding="utf-8")
    broken.write_text(text.replace("</h1>", f"{HOSTILE}</h1>", 1), encoding="utf-8")
    _, console = browse(broken, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in console)


def _tags(page: str) -> list[str]:
    return re.findall(r"<([a-z0-9]+)", page)
