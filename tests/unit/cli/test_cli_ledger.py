"""`farm ledger`: what an operator reads, and takes home, of what work took."""

import csv
import json
from collections.abc import Iterator
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from commands import fails, farm, ok
from fake_gateway import FakeGateway, running_gateway
from typer.testing import CliRunner

from farm.cli.main import app
from farm.core.errors import UnreachableError
from farm.core.ledger import LATENCY_BOUNDS_S
from farm.pb import farm_admin_pb2 as admin

USAGE = admin.LedgerUsage(
    joules=8.0, low_j=6.0, high_j=12.0, measured_j=4.0, modelled_j=3.0, marginal_j=5.0,
    node_ns=500_000_000, reference_ns=2_000_000_000, cost=0.0123,
    power_cost=0.0023,
)  # fmt: skip
RECORD = admin.BatchRecord(
    settled_unix_ns=1_795_348_800_250_000_000, batch_id=7, model="digits", version=1, digest="d1",
    node_id="pi-1", route="farm", outcome="completed", rows=4, requests=3, wasted=1,
    queue_ns=250_000_000, compute_ns=125_000_000, usage=USAGE, clients={"id:bob": 1, "id:ann": 3},
    waste={"hedged": 1},
)  # fmt: skip
ROW = {
    "settled": "2026-11-22T12:00:00.250+00:00", "settled_unix_ns": 1_795_348_800_250_000_000,
    "batch_id": 7, "model": "digits", "version": 1, "digest": "d1", "node": "pi-1",
    "route": "farm", "outcome": "completed", "rows": 4, "requests": 3, "wasted": 1, "queue_s": 0.25,
    "compute_s": 0.125, "joules": 8.0, "low_j": 6.0, "high_j": 12.0, "measured_j": 4.0,
    "modelled_j": 3.0, "marginal_j": 5.0, "node_s": 0.5, "reference_s": 2.0, "cost": 0.0123,
    "power_cost": 0.0023,
    "currency": "EUR",
    "clients": '{"id:ann": 3, "id:bob": 1}', "waste": '{"hedged": 1}',
}  # fmt: skip


class LedgerGateway(FakeGateway):
    """Has two batches, one of which nobody has a price for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[admin.LedgerRequest] = []
        self.drops = 0
        self.record = admin.BatchRecord()
        self.record.CopyFrom(RECORD)

    def Ledger(self, request: admin.LedgerRequest, context: Any) -> admin.LedgerResponse:  # noqa: N802
        self._check(self.error, context)
        self.asked.append(request)
        figures = admin.LedgerFigures(
            start_unix_ns=17, key="digits:1", batches=2, rows=8, usage=USAGE,
            wasted=admin.LedgerUsage(joules=2.0), idle=admin.LedgerUsage(joules=1.0),
            counts=admin.RequestCounts(answered=6, failed={"queue_full": 2, "cancelled": 1}),
        )  # fmt: skip
        unused = admin.LedgerFigures(key="idle:1")
        return admin.LedgerResponse(
            figures=[figures, unused], currency="EUR", drops=self.drops,
            begins_unix_ns=43_200_000_000_000,
            latency_bounds_ns=[round(bound * 1e9) for bound in LATENCY_BOUNDS_S],
        )  # fmt: skip

    def LedgerRecords(  # noqa: N802
        self, _request: admin.LedgerRecordsRequest, context: Any
    ) -> Iterator[admin.LedgerRecordsResponse]:
        yield admin.LedgerRecordsResponse(records=[self.record])
        self._check(self.infer_error, context)
        free = admin.BatchRecord()
        free.CopyFrom(self.record)
        free.usage.ClearField("cost")
        yield admin.LedgerRecordsResponse(records=[free])


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerGateway]:
    monkeypatch.setattr("fake_gateway.FakeGateway", LedgerGateway)
    with running_gateway() as gateway:
        assert isinstance(gateway, LedgerGateway)
        monkeypatch.setenv("FARM_CONNECT", gateway.address)
        yield gateway


def test_show_says_what_each_model_took_and_how_that_is_known(gateway: LedgerGateway) -> None:
    shown = ok("ledger", "show")
    assert "cost EUR" in shown
    (line,) = [line for line in shown.splitlines() if "digits:1" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == [
        "digits:1", "6", "3", "2", "8", "8 (6 to 12)", "50% measured, 38% modelled, 12% assumed",
        "25.0%", "0.0123",
    ]  # fmt: skip
    (request,) = gateway.asked
    assert (request.group, request.until_unix_ns) == ("model", 0)


@pytest.mark.parametrize("by", ["node", "route", "waste"])
def test_requests_that_failed_are_not_known_by(gateway: LedgerGateway, by: str) -> None:
    shown = ok("ledger", "show", "--by", by, "--since", "90m")
    (line,) = [line for line in shown.splitlines() if "digits:1" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][2] == "-"
    assert gateway.asked[0].group == by


def test_by_total_what_nobody_asked_for_is_told_apart(gateway: LedgerGateway) -> None:
    shown = ok("ledger", "show", "--by", "total")
    (names,) = [line for line in shown.splitlines() if "joules" in line]
    assert "idle" in names
    assert "12.5%" in shown
    assert "idle" not in ok("ledger", "show", "--by", "route").replace("idle:1", "")


def test_a_time_before_the_ledgers_own_is_said(gateway: LedgerGateway) -> None:
    assert "begins" not in ok("ledger", "show", "--since", "2001-01-01")
    assert "the ledger begins 1970-01-01" in ok("ledger", "show", "--since", "1960-01-01")


def test_show_as_json_has_every_figure(gateway: LedgerGateway) -> None:
    document = json.loads(ok("ledger", "show", "-o", "json", "--by", "client"))["ledger"]
    assert (document["by"], document["currency"]) == ("client", "EUR")
    assert document["figures"][0]["usage"]["joules"] == 8.0
    assert document["figures"][0]["counts"]["failed"] == {"queue_full": 2, "cancelled": 1}
    assert document["figures"][1]["usage"]["cost"] is None


def test_records_that_were_lost_are_said(gateway: LedgerGateway) -> None:
    gateway.drops = 5
    result = farm("ledger", "show")
    assert result.exit_code == 0
    assert "5 records were lost" in result.stderr


def test_what_is_no_time_is_a_usage_error(gateway: LedgerGateway) -> None:
    assert "'soon' is no time" in fails(2, "ledger", "show", "--since", "soon")
    assert gateway.asked == []


def test_a_gateway_that_counts_in_another_way_is_not_misread(
    gateway: LedgerGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("test_cli_ledger.LATENCY_BOUNDS_S", (1.0,))
    assert "other bounds" in fails(1, "ledger", "show")


def test_export_writes_csv(gateway: LedgerGateway) -> None:
    lines = list(csv.DictReader(StringIO(ok("ledger", "export"))))
    assert lines[0] == {name: str(value) for name, value in ROW.items()}
    assert (lines[1]["cost"], lines[1]["currency"], len(lines)) == ("", "", 2)


def test_an_export_that_breaks_off_is_no_half_document(gateway: LedgerGateway) -> None:
    gateway.infer_error = UnreachableError("the gateway went")
    assert "the gateway went" in fails(4, "ledger", "export", "-o", "json")


def test_export_writes_json(gateway: LedgerGateway) -> None:
    document = json.loads(ok("ledger", "export", "-o", "json"))
    assert document["schema_version"] == 1
    assert document["batches"] == [ROW, {**ROW, "cost": None, "currency": None}]


def test_an_export_is_json_in_any_encoding(gateway: LedgerGateway) -> None:
    gateway.record.model = "größe🦊"
    ended = CliRunner(charset="ascii").invoke(app, ["ledger", "export", "-o", "json"])
    assert ended.exit_code == 0, ended.output
    (one, _) = json.loads(ended.stdout)["batches"]
    assert one["model"] == "größe🦊"
    assert ended.stdout_bytes.isascii()


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs the extra: pip install pyarrow")
def test_export_writes_parquet(gateway: LedgerGateway, tmp_path: Path) -> None:
    from pyarrow import parquet

    file = tmp_path / "batches.parquet"
    result = farm("ledger", "export", "-o", "parquet", "--to", str(file))
    assert result.exit_code == 0, result.output
    assert parquet.read_table(file).to_pylist() == [ROW, {**ROW, "cost": None, "currency": None}]


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs the extra: pip install pyarrow")
def test_parquet_is_not_for_a_terminal(gateway: LedgerGateway) -> None:
    assert "--to" in fails(2, "ledger", "export", "-o", "parquet")


def test_parquet_without_its_extra_says_what_to_install(
    gateway: LedgerGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An import of what is None here fails as if it were not installed.
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    said = fails(1, "ledger", "export", "-o", "parquet", "--to", "x.parquet")
    assert "pip install 'bramble-farm[export]'" in said
    assert gateway.asked == []


def test_an_export_that_breaks_off_leaves_the_file_before_it(
    gateway: LedgerGateway, tmp_path: Path
) -> None:
    file = tmp_path / "batches.csv"
    result = farm("ledger", "export", "--to", str(file))
    assert (result.exit_code, result.stderr) == (0, f"2 batches are in {file}\n")
    before = file.read_text(encoding="utf-8")
    gateway.infer_error = UnreachableError("the gateway is gone")
    assert "the gateway is gone" in fails(4, "ledger", "export", "--to", str(file))
    assert file.read_text(encoding="utf-8") == before
    assert list(tmp_path.glob(".*")) == []


def test_a_file_that_cannot_be_written_is_named(gateway: LedgerGateway, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "batches.csv"
    assert f"{file} cannot be written" in fails(2, "ledger", "export", "--to", str(file))
