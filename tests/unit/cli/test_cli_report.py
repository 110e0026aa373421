"""`farm report`: four ways to write the same figures, from a real ledger over real gRPC."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from io import StringIO
from pathlib import Path

import pytest
from commands import fails, farm, ok
from farm_history import (
    BEGAN_NS,
    HOSTILE,
    OFF,
    TERMS,
    HistoryClock,
    write_history,
)
from page_checks import checked
from report_gateway import report_gateway

from farm.core.ledger import GroupBy, Usage, WindowRecord
from farm.core.terms import FarmTerms
from farm.engine.ledger.ledger import Ledger

SINCE = ("--since", "2025-01-01T12:00+00:00", "--until", "2025-01-01T18:00+00:00")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = write_history(tmp_path_factory.mktemp("ledger") / "ledger.db")
    yield ledger
    ledger.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.db", clock=HistoryClock())
    ledger.open()
    yield ledger
    ledger.close()


def told(ledger: Ledger, *arguments: str, terms: FarmTerms = TERMS) -> str:
    with report_gateway(ledger, terms) as address:
        return ok("report", *SINCE, *arguments, "--connect", address)


def test_the_table_begins_with_the_four_levers(history: Ledger) -> None:
    lines = told(history).splitlines()
    begins = next(index for index, line in enumerate(lines) if line.startswith("At a glance"))
    glance = "\n".join(lines[begins : begins + 20])
    for lever in ("Latency", "Egress avoided", "Cost", "Incidents"):
        assert f"│ {lever} " in glance
    assert "aws-t4g-nano (prices of " in glance


def test_json_has_every_section_with_its_sources(history: Ledger) -> None:
    document = json.loads(told(history, "-o", "json"))
    assert document["schema_version"] == 1
    report = document["report"]
    assert set(report["sections"]) == {
        "latency", "egress", "cost", "incidents", "energy", "spending", "utilisation", "waste",
        "carbon",
    }  # fmt: skip
    energy = report["sections"]["energy"]["figures"]
    assert energy["measured"]["value"] == pytest.approx(0.6)
    assert energy["per_request"]["low"] < energy["per_request"]["value"]
    assert energy["per_request"]["source"] == "assumed"
    assert (report["farm"], report["currency"], report["is_empty"]) == ("shelf <1>", "EUR", False)
    assert set(report["groups"]) == {"model", "node", "client"}
    assert {each["subject"] for each in report["groups"]["node"]} == {"pi-1", "pi-2"}
    compared = {each["name"]: each for each in report["baselines"]}
    assert compared["aws-lambda-arm64"]["fx"].startswith("1 USD = 0.9 EUR on 2026-11-01")
    assert all(
        each["read"] and each["source"] and each["assumptions"] for each in compared.values()
    )


def test_of_an_older_gateway_how_much_was_wasted_is_told_without_why(
    history: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wasted() -> dict[str, float]:
        figures = json.loads(told(history, "-o", "json"))["report"]["sections"]["waste"]["figures"]
        return {key: figure["value"] for key, figure in figures.items() if figure["value"]}

    now = wasted()
    older = StrEnum(
        "Older", {each.name: each.value for each in GroupBy if each is not GroupBy.WASTE}
    )
    monkeypatch.setattr("farm.frontend.ledger_messages.GroupBy", older)
    then = wasted()
    assert then["wasted_untold"] == then["wasted"] == now["wasted"] > 0
    assert "wasted_failed" not in then


def test_the_time_that_the_gateway_ran_is_without_that_in_which_it_was_off(
    history: Ledger,
) -> None:
    report = json.loads(told(history, "-o", "json"))["report"]
    seconds = report["sections"]["utilisation"]["figures"]["seconds"]["value"]
    assert seconds == 6 * 3600 - len(OFF) * 60
    # Steps of which nothing is known are left out, not shown as nothing.
    assert len(report["steps"]) == 36 - len(OFF) // 10


def test_the_parts_add_up_to_the_whole(history: Ledger) -> None:
    report = json.loads(told(history, "-o", "json"))["report"]
    total = report["sections"]["energy"]["figures"]["total"]["value"]
    idle = report["sections"]["waste"]["figures"]["idle"]["value"]

    def joules(parts: list[dict[str, dict[str, dict[str, float]]]]) -> float:
        return sum(part["figures"]["energy"]["value"] for part in parts)

    assert joules(report["steps"]) == pytest.approx(total)
    for parts in report["groups"].values():
        assert joules(parts) == pytest.approx(total - idle)


def test_csv_is_tidy(history: Ledger) -> None:
    lines = list(csv.DictReader(StringIO(told(history, "-o", "csv"))))
    assert list(lines[0]) == ["section", "key", "value", "unit", "source"]
    rows = [row for row in lines if row["section"] != "warnings"]
    assert {row["source"] for row in rows} == {"measured", "modelled", "assumed"}
    found = {(row["section"], row["key"]): float(row["value"]) for row in rows}
    assert len(found) == len(rows)
    assert found["energy", "measured"] == pytest.approx(0.6)
    assert found["baseline:aws-lambda-arm64", "price_per_1000"] > 0
    assert (f"model:{HOSTILE}:1", "energy") in found
    assert (f"step:{BEGAN_NS}", "answered") in found


def test_the_page_needs_nothing_and_runs_nothing(history: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    with report_gateway(history, TERMS) as address:
        result = farm("report", *SINCE, "-o", "html", "--to", str(file), "--connect", address)
    assert (result.exit_code, result.stdout) == (0, "")
    assert str(file) in result.stderr
    page = checked(file.read_text(encoding="utf-8"))
    # Cost by requests a day; requests, latency, joules and cost over time.
    assert page.tags["svg"] == 5
    text = "".join(page.text)
    assert HOSTILE in text
    assert "shelf <1>" in text
    for word in ("measured", "modelled", "assumed", "prices of ", "converted at 1 USD = 0.9 EUR"):
        assert word in text


def test_without_a_rate_no_saving_is_claimed(history: Ledger) -> None:
    page = checked(told(history, "-o", "html", terms=replace(TERMS, fx=())))
    text = "".join(page.text)
    assert "no saving is claimed" in text
    assert "% saved" not in text
    # Nothing breaks even with what is in another currency.
    assert page.tags["svg"] == 4


@pytest.mark.parametrize("output", ["table", "html", "csv", "json"])
def test_an_empty_ledger_says_so(empty: Ledger, output: str) -> None:
    text = told(empty, "-o", output, terms=FarmTerms(nodes=1))
    assert "the ledger is empty: nothing was recorded yet" in text
    if output == "csv":
        assert len(text.splitlines()) == 2
    if output == "html":
        assert checked(text).tags["table"] == 0
    if output == "json":
        assert json.loads(text)["report"]["is_empty"]


def test_baselines_that_are_named_are_compared_alone(history: Ledger, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[baseline]]\nname = "aws-lambda-arm64"\nspeed_factor = 2.0\nspeed_basis = "measured"\n'
        'speed_note = "our model, on one vCPU"\n',
        encoding="utf-8",
    )
    names = ("--baseline", "aws-lambda-arm64", "--baseline", "openai-gpt-5-nano")
    report = json.loads(told(history, *names, "--baselines", str(own), "-o", "json"))["report"]
    (compared,) = report["baselines"]
    assert any("measured: our model" in text for text in compared["assumptions"])
    assert any("openai-gpt-5-nano is not compared" in text for text in report["warnings"])


def test_by_what_work_is_told_apart_can_be_chosen(history: Ledger) -> None:
    report = json.loads(told(history, "--by", "route", "-o", "json"))["report"]
    assert set(report["groups"]) == {"route"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--baseline", "nobody"), "there is no baseline 'nobody'"),
        (("--baselines", "/none.toml"), "/none.toml cannot be read"),
        (("--since", "soon"), "--since 'soon' is no time"),
        (("--until", "later"), "--until 'later' is no time"),
        (("--since", "1h", "--until", "2h"), "--until 2h is not after --since 1h"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], said: str) -> None:
    assert said in fails(2, "report", *arguments, "--connect", "127.0.0.1:1")


def test_a_gateway_without_a_ledger_is_told_of() -> None:
    with report_gateway(None, TERMS) as address:
        assert "ledger.enabled" in fails(1, "report", "--connect", address)


def test_a_file_that_cannot_be_written_is_told_of(history: Ledger, tmp_path: Path) -> None:
    with report_gateway(history, TERMS) as address:
        fails(2, "report", *SINCE, "--to", str(tmp_path / "no" / "such"), "--connect", address)


def test_a_farm_without_prices_says_at_a_glance_what_to_set(tmp_path: Path) -> None:
    clock = HistoryClock()
    ledger = Ledger(tmp_path / "ledger.db", clock=clock)
    ledger.open()
    try:
        ledger.window(
            WindowRecord(
                settled_unix_ns=clock.unix_ns(), window_s=60.0, usage=Usage(joules=9.0, low_j=9.0)
            )
        )
        text = " ".join(told(ledger, "-o", "html", terms=FarmTerms(nodes=1)).split())
    finally:
        ledger.close()
    glance = text[text.index('class="levers"') : text.index("<table>")]
    assert "power.price_per_kwh" in glance
    assert "nobody got an answer" in glance
