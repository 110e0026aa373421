"""The ledger's benchmark measures what it says."""

from pathlib import Path

import pytest

from benchmarks import ledger
from benchmarks.report import circumstances


def test_a_small_run_has_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_BUSY", 200)
    monkeypatch.setattr(ledger, "_REQUESTS", 100)
    measured = ledger.measure(tmp_path, 1_000, 2)
    told = ledger.text({"circumstances": circumstances(), **measured})
    assert "| all that a report asks for, seconds | <= 2 |" in told
    assert "1,000 batches of four weeks" in told
    assert set(measured["seconds"]) == {
        "by total", "by model", "by node", "by route", "by client", "by waste", "day by day",
        "report",
    }  # fmt: skip
