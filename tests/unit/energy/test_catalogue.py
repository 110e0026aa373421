"""The catalogue of baselines: what it holds, what a user's file may change, what is refused."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import EnergySource
from farm.core.errors import ConfigurationError
from farm.energy.baselines import BaselinePrice, Workload, price, total_price
from farm.energy.catalogue import Catalogue, parse_catalogue, shipped_catalogue

SHIPPED = shipped_catalogue()

MINE = """
[[baseline]]
name = "mine"
provider = "Rack & Co"
service = "a small machine"
region = "the cellar"
currency = "EUR"
rule = "instance"
price_per_h = 0.01
vcpus = 4
memory_mb = 4096
most_busy_share = 0.5
read = 2026-11-01
source = "the contract"
speed_factor = 0.8
speed_basis = "measured"
speed_note = "our model, on the third of May"
"""
FUNCTION = 'price_per_gb_s = 0.00002\nread = 2026-11-20\nsource = "the price page"\n'


def parse(text: str) -> Catalogue:
    return parse_catalogue(text.encode(), file="mine.toml")


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return caught.value.message


def row(text: str, name: str = "aws-lambda-arm64") -> str:
    return f'[[baseline]]\nname = "{name}"\n{text}'


def test_every_kind_of_service_is_there() -> None:
    for name in (
        "aws-lambda-arm64", "aws-lambda-x86", "aws-c7g-medium", "aws-c7g-large", "aws-t4g-nano",
        "aws-t4g-micro", "aws-t4g-small", "aws-t4g-medium", "aws-sagemaker-t3-medium",
        "aws-sagemaker-c7g-large", "gcp-cloud-run", "azure-functions", "openai-gpt-5-nano",
        "openai-gpt-5-mini", "aws-nova-lite", "aws-egress", "gcp-egress", "azure-egress",
    ):  # fmt: skip
        assert SHIPPED.baseline(name).name == name


def test_an_unknown_baseline_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="no baseline 'lambda'; known are aws-lambda-arm"):
        SHIPPED.baseline("lambda")


def test_a_users_row_is_added() -> None:
    catalogue = parse(MINE)
    mine = catalogue.baseline("mine")
    assert mine.currency == "EUR"
    assert mine.speed is not None
    assert mine.speed.basis is EnergySource.MEASURED
    assert [*catalogue.baselines][:-1] == [*SHIPPED.baselines]
    work = Workload(requests=1, seconds=3600, compute_s=1)
    assert total_price(mine, work) == pytest.approx(0.01)


def test_a_measured_speed_needs_no_new_prices() -> None:
    measured = row('speed_factor = 0.9\nspeed_basis = "measured"\nspeed_note = "ours, in May"\n')
    here, there = (each.baseline("aws-lambda-arm64") for each in (SHIPPED, parse(measured)))
    assert there.speed is not None
    assert there.speed.factor == 0.9
    assert (there.rule, there.read, there.egress) == (here.rule, here.read, here.egress)


def test_a_user_says_how_many_tokens_a_request_would_be() -> None:
    said = parse(row("input_tokens = 300\noutput_tokens = 0\n", "openai-gpt-5-nano"))
    work = Workload(requests=1000, seconds=3600, compute_s=0)
    assert total_price(SHIPPED.baseline("openai-gpt-5-nano"), work) is None
    assert total_price(said.baseline("openai-gpt-5-nano"), work) == pytest.approx(0.3 * 0.05)


def test_new_prices_need_their_date_and_source() -> None:
    said = refusal(row("price_per_gb_s = 0.00002\n"))
    assert said == (
        "mine.toml: baseline aws-lambda-arm64: price_per_gb_s: differs from the package's, so say"
        " in read and source when and where it was read"
    )
    assert parse(row(FUNCTION)).baseline("aws-lambda-arm64").read == date(2026, 11, 20)


def test_another_rule_makes_another_baseline() -> None:
    rented = MINE.replace('"mine"', '"aws-lambda-arm64"')
    assert parse(rented).baseline("aws-lambda-arm64").rule == parse(MINE).baseline("mine").rule


def test_prices_older_than_180_days_are_stale() -> None:
    catalogue = parse(row(FUNCTION))
    ours = catalogue.baseline("aws-lambda-arm64")
    assert ours.age_days(date(2026, 11, 22)) == 2
    assert not ours.stale(date(2027, 5, 19))
    assert ours.stale(date(2027, 5, 20))
    assert ours in catalogue.stale(date(2027, 5, 20))


def test_a_row_may_price_what_leaves_its_cloud() -> None:
    egress = """
    [[baseline]]
    name = "cellar-egress"
    provider = "Rack & Co"
    service = "traffic"
    region = "the cellar"
    currency = "EUR"
    rule = "egress"
    tiers = [[1, 0.5], [inf, 0.1]]
    read = 2026-11-01
    source = "the contract"
    """
    catalogue = parse(MINE + 'egress = "cellar-egress"\n' + egress)
    work = Workload(requests=1, seconds=3600, compute_s=1, response_bytes=2**30)
    priced = price(catalogue.baseline("mine"), work)
    assert isinstance(priced, BaselinePrice)
    assert {part.what for part in priced.parts} == {"busy hours", "idle hours", "egress"}
    dollars = MINE.replace('"EUR"', '"USD"') + 'egress = "cellar-egress"\n' + egress
    assert "mine.toml: baseline mine: egress: 'cellar-egress' is in EUR, this in USD" in refusal(
        dollars
    )


def changed(key: str, value: str | None) -> str:
    """The user's row with another value for a key, or without it."""
    lines = [line for line in MINE.splitlines() if not line.startswith(f"{key} ")]
    return "\n".join(lines if value is None else [*lines, f"{key} = {value}"])


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("read", None, "read: is missing"),
        ("source", None, "source: is missing"),
        ("source", '" "', "source: must be text, not ' '"),
        ("read", '"2026-11-01"', "read: must be a date like 2026-11-01, not '2026-11-01'"),
        ("read", "2026-11-01T00:00:00Z", "read: must be a date"),
        ("currency", '"EURO"', "currency: 'EURO' is no currency of ISO 4217"),
        ("rule", '"hourly"', "rule: there is no 'hourly'; known are function, container, instance"),
        ("price_per_h", None, "price_per_h: is missing"),
        ("price_per_h", "-1", "price_per_h: is -1 and must not be negative"),
        ("price_per_h", "nan", "price_per_h: must be a number, not nan"),
        ("price_per_h", "true", "price_per_h: must be a number, not True"),
        ("price_per_h", '"0.1"', "price_per_h: must be a number, not '0.1'"),
        ("vcpus", "0", "vcpus: is 0 and must be above 0"),
        ("most_busy_share", "70", "most_busy_share: is 70, and a share is at most 1"),
        ("price_per_hour", "1", "price_per_hour: rule instance has no such key"),
        ("egress", '"nobody"', "egress: there is no baseline 'nobody' of rule egress"),
        ("egress", '"gcp-cloud-run"', "egress: there is no baseline 'gcp-cloud-run' of rule"),
        ("speed_factor", None, "speed_factor: is missing"),
        ("speed_factor", "0", "speed_factor: must be a number above 0, not 0"),
        ("speed_basis", '"modelled"', "speed_basis: there is no 'modelled'; known are measured"),
        ("speed_note", None, "speed_note: is missing"),
    ],
)
def test_what_is_wrong_is_said_with_file_row_and_key(
    key: str, value: str | None, said: str
) -> None:
    assert refusal(changed(key, value)).startswith(f"mine.toml: baseline mine: {said}")


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ("[]", "must be pairs like"),
        ("[[1]]", "must be pairs like"),
        ("[[10, 0.1]]", "ends at 10; the last pair goes up to inf"),
        ("[[10, 0.1], [5, 0.1], [inf, 0]]", "has 5 after 10; it must rise"),
        ("[[inf, -1]]", "has -1 for a price"),
    ],
)
def test_tiers_rise_to_no_end(tiers: str, said: str) -> None:
    text = row(f'tiers = {tiers}\nread = 2026-11-01\nsource = "s"\n', "aws-egress")
    assert f"mine.toml: baseline aws-egress: tiers: {said}" in refusal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[baseline", "mine.toml is not TOML: "),
        ("[baselines]\n", "mine.toml: all that a catalogue holds is tables [[baseline]]"),
        ("baseline = 1\n", "mine.toml: all that a catalogue holds is tables [[baseline]]"),
        ("[[baseline]]\n", "mine.toml: baseline 1: name: must be text like aws-c7g-large"),
        (MINE + MINE, "mine.toml: baseline mine: name: is there twice"),
    ],
)
def test_what_is_no_catalogue_is_refused(text: str, said: str) -> None:
    assert refusal(text).startswith(said)


@settings(max_examples=150, deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_no_file_is_more_than_refused(content: bytes) -> None:
    try:
        parse_catalogue(content, file="mine.toml")
    except ConfigurationError as error:
        assert error.message.startswith("mine.toml")


values = st.sampled_from(
    ["1", "-1", "0", "nan", "inf", "true", '"x"', '""', "[]", "[[1]]", "{a = 1}", "2026-11-01"]
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([line.split(" ")[0] for line in MINE.splitlines()[2:]]), values)
def test_any_value_of_any_key_is_taken_or_refused(key: str, value: str) -> None:
    try:
        parse(changed(key, value))
    except ConfigurationError as error:
        assert error.message.startswith("mine.toml: baseline ")
