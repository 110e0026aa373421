"""`farm baselines`: what it lists, how it prices, what it refuses."""

import json
from pathlib import Path

import pytest
from commands import fails, farm

# Prices of a day far ahead, so that they are never too old.
FRESH = """
[[baseline]]
name = "rented-server"
provider = "Example Hosting"
service = "4 vCPUs"
region = "Frankfurt"
currency = "EUR"
rule = "instance"
price_per_h = 0.03
vcpus = 4
memory_mb = 8192
most_busy_share = 0.5
read = 2999-01-01
source = "the contract"
speed_factor = 2.0
speed_basis = "assumed"
speed_note = "guessed"
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(FRESH, encoding="utf-8")
    return str(file)


def test_baselines_are_listed_with_the_age_of_their_prices(mine: str) -> None:
    listed = farm("baselines", "ls", "--file", mine)
    assert listed.exit_code == 0
    for word in ("aws-lambda-arm64", "gcp-cloud-run", "rented-server", "the contract", ", stale"):
        assert word in listed.stdout
    # The package's own are of 2026 and before.
    assert "farm: prices older than 180 days: of " in listed.stderr


def test_the_list_as_json_has_speed_date_and_source() -> None:
    listed = json.loads(farm("baselines", "ls", "--output", "json").stdout)
    by_name = {each["name"]: each for each in listed["baselines"]}
    arm = by_name["aws-lambda-arm64"]
    assert arm["speed"]["basis"] == "assumed"
    assert arm["speed"]["note"]
    assert (arm["currency"], arm["read"]) == ("USD", "2026-03-08")
    assert arm["stale"] is (arm["age_days"] > 180)
    assert by_name["aws-egress"]["speed"] is None


def test_a_day_of_requests_is_priced_part_by_part(mine: str) -> None:
    shown = farm("baselines", "show", "rented-server", "--per-day", "24000", "--file", mine)
    assert shown.exit_code == 0
    assert shown.stderr == ""
    for word in ("24,000 requests a day", "idle hours", "EUR per 1,000 requests", "0.03 "):
        assert word in shown.stdout
    assert "100 ms, 2 times what it takes one core of a Raspberry Pi 5 (assumed: guessed)" in (
        shown.stdout
    )
    assert "prices of 2999-01-01" in shown.stdout


def test_a_price_as_json_adds_up() -> None:
    arguments = ("--compute-ms", "50", "--response-kb", "0", "--per-day", "10", "-o", "json")
    shown = json.loads(farm("baselines", "show", "aws-lambda-arm64", *arguments).stdout)["price"]
    assert shown["per_request"] == pytest.approx(1.3517e-6, rel=1e-4)
    assert shown["total"] == pytest.approx(sum(part["amount"] for part in shown["parts"]))
    assert shown["per_1000"] == pytest.approx(shown["per_request"] * 1000)
    assert [part["what"] for part in shown["parts"]] == ["compute", "request fee"]


def test_tokens_are_asked_for() -> None:
    said = fails(2, "baselines", "show", "openai-gpt-5-nano")
    assert "nobody said how many tokens" in said
    assert "give --input-tokens and --output-tokens" in said
    tokens = ("--input-tokens", "300", "--output-tokens", "20")
    shown = farm("baselines", "show", "openai-gpt-5-nano", *tokens)
    assert shown.exit_code == 0
    assert "0.023" in shown.stdout


def test_what_does_not_fit_is_said() -> None:
    said = fails(2, "baselines", "show", "aws-t4g-nano", "--memory-mb", "1000")
    assert "aws-t4g-nano has no price for this: it has 512 MB of memory at most" in said


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_figures_are_numbers_that_can_be(value: str) -> None:
    result = farm("baselines", "show", "aws-lambda-arm64", "--compute-ms", value)
    assert result.exit_code == 2
    assert "--compute-ms" in result.stderr


def test_an_unknown_baseline_names_the_known_ones() -> None:
    assert "known are aws-lambda-arm64" in fails(2, "baselines", "show", "lambda")


def test_a_wrong_file_names_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    assert f"{file} cannot be read" in fails(2, "baselines", "ls", "--file", str(file))
    file.write_text(FRESH.replace("0.03", "-0.03"), encoding="utf-8")
    said = fails(2, "baselines", "ls", "--file", str(file))
    assert f"{file}: baseline rented-server: price_per_h: is -0.03" in said
