"""What clouds ask by their own rules, beside examples that were reckoned by hand."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.energy.baselines import (
    Baseline,
    BaselinePrice,
    Tokens,
    Unpriced,
    Workload,
    price,
    quote,
    total_price,
)
from farm.energy.catalogue import shipped_catalogue
from farm.energy.pricing_rules import DAY_S, GB, MB, MONTH_S

CATALOGUE = shipped_catalogue()
EVERY = sorted(CATALOGUE.baselines)
LAMBDA = CATALOGUE.baseline("aws-lambda-arm64")
CLOUD_RUN = CATALOGUE.baseline("gcp-cloud-run")
AZURE = CATALOGUE.baseline("azure-functions")
EGRESS = CATALOGUE.baseline("aws-egress")


def requests(
    number: float = 1, *, compute_s: float = 0.05, seconds: float = DAY_S, memory_mb: float = 0
) -> Workload:
    """Requests alike, of so many seconds each."""
    return Workload(
        requests=number,
        seconds=seconds,
        compute_s=compute_s * number,
        memory_bytes=round(memory_mb * MB),
    )


def bill(baseline: Baseline, work: Workload) -> BaselinePrice:
    priced = price(baseline, work)
    assert isinstance(priced, BaselinePrice)
    return priced


def amounts(baseline: Baseline, work: Workload) -> dict[str, float]:
    return {part.what: part.amount for part in bill(baseline, work).parts}


def reason(baseline: Baseline, work: Workload) -> str:
    priced = price(baseline, work)
    assert isinstance(priced, Unpriced)
    assert total_price(baseline, work) is None
    return priced.reason


# -- functions ---------------------------------------------------------------------


def test_50_ms_of_a_vcpu_of_lambda() -> None:
    # 0.05 s x 1769/1024 GB x 0.0000133334, and 0.20 for a million requests.
    parts = amounts(LAMBDA, requests())
    assert parts["compute"] == pytest.approx(1.15170e-6, rel=1e-5)
    assert parts["request fee"] == pytest.approx(0.2e-6)
    assert bill(LAMBDA, requests()).per_request == pytest.approx(1.35e-6, rel=2e-3)


@pytest.mark.parametrize(("compute_s", "billed_ms"), [(0.0, 1), (1e-5, 1), (0.001, 1), (0.0011, 2)])
def test_lambda_bills_whole_milliseconds_of_each_request(
    compute_s: float, billed_ms: float
) -> None:
    [compute, _] = bill(LAMBDA, requests(1000, compute_s=compute_s)).parts
    assert compute.quantity == pytest.approx(billed_ms * 1769 / 1024)


def test_a_whole_number_of_milliseconds_is_not_rounded_up() -> None:
    # 0.029 / 0.001 is a little above 29 in floats.
    for milliseconds in range(1, 400):
        work = requests(compute_s=milliseconds / 1000)
        assert bill(LAMBDA, work).parts[0].quantity == pytest.approx(
            milliseconds / 1000 * 1769 / 1024
        )


def test_lambda_bills_the_memory_of_a_vcpu_or_what_the_model_needs() -> None:
    small, large = requests(memory_mb=200), requests(memory_mb=1769 * 2)
    assert amounts(LAMBDA, small) == amounts(LAMBDA, requests())
    assert amounts(LAMBDA, large)["compute"] == pytest.approx(2 * amounts(LAMBDA, small)["compute"])
    assert "with less memory it takes longer" in " ".join(bill(LAMBDA, small).assumptions)


def test_memory_that_nobody_told_is_said_to_be_an_assumption() -> None:
    unknown, known = (bill(AZURE, requests(memory_mb=mb)).assumptions for mb in (0, 200))
    assert "how much memory it needs is not known" in " ".join(unknown)
    assert "not known" not in " ".join(known)


def test_what_does_not_fit_has_no_price() -> None:
    assert "10240 MB of memory at most, and 12000 MB" in reason(LAMBDA, requests(memory_mb=12000))
    assert "1536 MB" in reason(AZURE, requests(memory_mb=1537))
    assert "2048 MB" in reason(CATALOGUE.baseline("aws-c7g-medium"), requests(memory_mb=3000))
    assert "4096 MB" in reason(CLOUD_RUN, requests(memory_mb=5000))


def test_azure_bills_a_tenth_of_a_second_and_128_mb_at_least() -> None:
    assert amounts(AZURE, requests(compute_s=0.02)) == pytest.approx(
        {"compute": 0.1 * 0.125 * 0.000016, "request fee": 0.2e-6}
    )
    # 160 MB are billed as 256, and 150.2 ms as 151.
    work = requests(compute_s=0.1502, memory_mb=160)
    assert amounts(AZURE, work)["compute"] == pytest.approx(0.151 * 0.25 * 0.000016)


def test_cloud_run_bills_vcpu_and_memory_by_the_tenth_of_a_second() -> None:
    # 50 ms are 100 ms: 0.1 x 0.000024 + 0.1 x 0.5 x 0.0000025 + 0.40 for a million requests.
    assert amounts(CLOUD_RUN, requests()) == pytest.approx(
        {"compute": 2.4e-6, "memory": 0.125e-6, "request fee": 0.4e-6}
    )
    assert amounts(CLOUD_RUN, requests(compute_s=0.1)) == amounts(CLOUD_RUN, requests())
    assert amounts(CLOUD_RUN, requests(compute_s=0.101))["compute"] == pytest.approx(4.8e-6)


# -- instances ---------------------------------------------------------------------


def test_an_instance_is_billed_busy_or_not() -> None:
    medium = CATALOGUE.baseline("aws-c7g-medium")
    few = bill(medium, requests(24))
    assert few.total == pytest.approx(24 * 0.0363)
    # 24 requests of 25 ms there.
    assert amounts(medium, requests(24))["busy hours"] == pytest.approx(24 * 0.025 / 3600 * 0.0363)
    assert few.per_request == pytest.approx(0.0363)
    assert "1 machine all the time, 0.00% busy" in " ".join(few.assumptions)


def test_there_are_as_many_instances_as_the_load_needs() -> None:
    medium = CATALOGUE.baseline("aws-c7g-medium")
    hours = []
    for vcpus in (0.1, 0.7, 0.71, 1.4, 5.0):
        # At half the time of a core here, so many vCPUs are busy.
        number = vcpus * DAY_S / 0.025
        parts = bill(medium, requests(number)).parts
        hours.append(sum(part.quantity for part in parts))
    assert hours == pytest.approx([24, 24, 48, 48, 8 * 24])


def test_burst_credits_are_billed_above_what_is_earned() -> None:
    nano = CATALOGUE.baseline("aws-t4g-nano")
    earned = requests(0.1 * DAY_S / 0.05)
    assert set(amounts(nano, earned)) == {"busy hours", "idle hours"}
    # Half a vCPU is busy; a tenth of one is earned by two at 5 %.
    assert amounts(nano, requests(0.5 * DAY_S / 0.05))["surplus credits"] == pytest.approx(
        0.4 * 24 * 0.04
    )


def test_more_requests_cost_less_each() -> None:
    micro = CATALOGUE.baseline("aws-t4g-micro")
    few, many = (bill(micro, requests(number)).per_request for number in (100, 10_000))
    assert few is not None
    assert many is not None
    assert few == pytest.approx(100 * many)


# -- tokens and egress -------------------------------------------------------------


def test_tokens_need_somebody_to_say_how_many() -> None:
    nano = CATALOGUE.baseline("openai-gpt-5-nano")
    assert "nobody said how many tokens" in reason(nano, requests())
    said = replace(requests(1000), tokens=Tokens(input=300, output=20))
    assert amounts(nano, said) == pytest.approx(
        {"input tokens": 0.3 * 0.05, "output tokens": 0.02 * 0.40}
    )


def egress_of(monthly_gb: float) -> float:
    work = replace(requests(1, seconds=MONTH_S), response_bytes=monthly_gb * GB)
    return bill(EGRESS, work).total


def test_egress_is_priced_by_tiers_of_a_month() -> None:
    assert egress_of(100) == pytest.approx(9)
    assert egress_of(10_240) == pytest.approx(921.6)
    assert egress_of(20_480) == pytest.approx(921.6 + 10_240 * 0.085)
    assert egress_of(200_000) == pytest.approx(
        10_240 * 0.09 + 40_960 * 0.085 + 102_400 * 0.07 + 46_400 * 0.05
    )


def test_the_tier_is_that_of_the_rate_over_a_month() -> None:
    day = replace(requests(1), response_bytes=20_480 * GB * DAY_S / MONTH_S)
    assert bill(EGRESS, day).total == pytest.approx(egress_of(20_480) * DAY_S / MONTH_S)


def test_what_comes_in_is_free_and_answers_cost() -> None:
    work = replace(requests(1000), request_bytes=1e9)
    assert bill(LAMBDA, work).total == pytest.approx(bill(LAMBDA, requests(1000)).total)
    assert "what comes in is free, 28.35 GB a month" in bill(LAMBDA, work).assumptions
    answered = replace(work, response_bytes=GB)
    assert amounts(LAMBDA, answered)["egress"] == pytest.approx(0.09)


# -- all of them -------------------------------------------------------------------


def test_speed_is_a_factor_of_time_and_is_said() -> None:
    assert LAMBDA.speed is not None
    faster = replace(LAMBDA, speed=replace(LAMBDA.speed, factor=0.5))
    assert amounts(faster, requests())["compute"] == pytest.approx(
        amounts(LAMBDA, requests())["compute"] / 2
    )
    assert "25 ms, 0.5 times" in bill(faster, requests()).assumptions[0]
    assert "(assumed: " in bill(faster, requests()).assumptions[0]


@pytest.mark.parametrize("name", EVERY)
def test_every_row_is_dated_sourced_and_says_what_it_leaves_out(name: str) -> None:
    baseline = CATALOGUE.baseline(name)
    assert baseline.read <= date(2026, 11, 22)
    assert baseline.source
    assert baseline.leaves_out
    work = replace(requests(), tokens=Tokens(input=1, output=1), response_bytes=1.0)
    said = bill(baseline, work).assumptions
    assert f"left out: {baseline.leaves_out}" in said


works = st.builds(
    Workload,
    requests=st.floats(1, 1e9),
    seconds=st.floats(1, 1e8),
    compute_s=st.floats(0, 1e9),
    memory_bytes=st.integers(0, 2**33),
    request_bytes=st.floats(0, 1e15),
    response_bytes=st.floats(0, 1e15),
    tokens=st.none() | st.builds(Tokens, input=st.floats(0, 1e6), output=st.floats(0, 1e6)),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EVERY), works)
def test_a_bill_adds_up_and_nothing_on_it_is_negative(name: str, work: Workload) -> None:
    baseline = CATALOGUE.baseline(name)
    priced = price(baseline, work)
    if isinstance(priced, Unpriced):
        assert priced.reason
        assert total_price(baseline, work) is None
        return
    assert all(part.quantity >= 0 for part in priced.parts)
    assert priced.total == pytest.approx(sum(part.amount for part in priced.parts))
    assert priced.total == total_price(baseline, work)
    assert priced.per_1000 == pytest.approx(priced.total / work.requests * 1000)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EVERY), works, st.floats(1, 100))
def test_more_of_the_same_never_costs_less(name: str, work: Workload, factor: float) -> None:
    baseline = CATALOGUE.baseline(name)
    less = total_price(baseline, work)
    more = total_price(baseline, work.at(work.requests * factor, work.seconds))
    assert (less is None) == (more is None)
    if less is not None and more is not None:
        assert more >= less * (1 - 1e-9)


TOKENS = CATALOGUE.baseline("openai-gpt-5-nano")
RULES = [
    *CATALOGUE.baselines.values(),
    # What it needs at least is more than it has.
    replace(LAMBDA, rule=replace(LAMBDA.rule, most_memory_mb=1000.0)),
    replace(CLOUD_RUN, rule=replace(CLOUD_RUN.rule, most_memory_mb=100.0)),
    replace(TOKENS, rule=replace(TOKENS.rule, input_tokens=300.0, output_tokens=20.0)),
]


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(RULES),
    st.just(0.0) | st.floats(1e-6, 10),
    st.floats(1e-6, 1e5),
    st.just(0) | st.integers(0, 10**9),
)
def test_a_quote_is_the_total_of_a_bill_for_one_request(
    baseline: Baseline, compute_s: float, per_s: float, response_bytes: int
) -> None:
    work = replace(
        requests(1, compute_s=compute_s, seconds=1 / per_s), response_bytes=response_bytes
    )
    quoted, total = quote(baseline, per_s), total_price(baseline, work)
    if quoted is None or total is None:
        assert quoted is total is None
    else:
        assert quoted(compute_s, response_bytes) == pytest.approx(total, rel=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(RULES), st.floats(1e-4, 10), st.floats(0.01, 1000), st.integers(0, 10**7))
def test_the_price_of_a_receipt_is_that_of_a_day_of_such_requests(
    baseline: Baseline, compute_s: float, per_s: float, response_bytes: int
) -> None:
    number = per_s * DAY_S
    day = replace(requests(number, compute_s=compute_s), response_bytes=response_bytes * number)
    quoted, total = quote(baseline, per_s), total_price(baseline, day)
    if quoted is None or total is None:
        assert quoted is total is None
    else:
        assert quoted(compute_s, response_bytes) == pytest.approx(total / number, rel=1e-6)


def test_without_a_rate_there_is_no_price_of_a_request() -> None:
    assert quote(LAMBDA, 0.0) is None


def test_nothing_asked_costs_what_runs_anyway() -> None:
    nobody = requests(0)
    assert bill(LAMBDA, nobody).total == 0
    assert bill(LAMBDA, nobody).per_request is None
    assert bill(CATALOGUE.baseline("aws-t4g-nano"), nobody).total == pytest.approx(24 * 0.0042)
