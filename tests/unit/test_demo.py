"""The demo notices a wrong answer and says so: its exit code is what a script believes."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from farm import demo
from farm.cli.main import app
from farm.client import InferResult, ReceiptView
from farm.core.errors import FarmError, NodeLostError
from farm.core.ledger import LedgerFigures, RequestCounts, Usage
from farm.demo import ATOL, MODEL, RTOL, Digits, Outcome

CERTAINLY_THREE = np.full(10, 0.01, dtype=np.float32)
CERTAINLY_THREE[3] = 0.91

DIGITS = Digits(
    images=np.zeros((2, 1, 8, 8), dtype=np.float32),
    labels=np.array([3, 8]),
    expected=np.stack([CERTAINLY_THREE, CERTAINLY_THREE]),
)


FIGURES = LedgerFigures(
    start_unix_ns=0,
    key="",
    rows=5,
    usage=Usage(joules=50.0, low_j=20.0, high_j=90.0, reference_s=0.01, cost=5e-6),
    idle=Usage(joules=10.0, low_j=5.0, high_j=20.0, cost=1e-6),
    counts=RequestCounts(answered=5, response_bytes=400),
)


def answer(probabilities: np.ndarray = CERTAINLY_THREE, label: int = 3) -> InferResult:
    return InferResult(
        model=MODEL,
        version="1",
        id="",
        outputs={"probabilities": probabilities[np.newaxis], "label": np.array([label])},
        receipt=ReceiptView({"farm_batch_size": 4, "farm_node": "local-1"}),
    )


class OneReply:
    """A client of a farm that always says the same."""

    def __init__(self, reply: InferResult | FarmError) -> None:
        self.reply = reply

    async def infer(self, model: str, inputs: object, *, timeout_s: float) -> InferResult:
        assert model == MODEL
        if isinstance(self.reply, FarmError):
            raise self.reply
        return self.reply


async def outcome_of(reply: InferResult | FarmError, index: int = 0) -> Outcome:
    outcome = Outcome()
    await demo._send_one(OneReply(reply), DIGITS, index, outcome)  # type: ignore[arg-type]
    return outcome


# -- judging --------------------------------------------------------------------------


async def test_the_local_models_answer_is_right() -> None:
    outcome = await outcome_of(answer())
    assert outcome.ok
    assert (outcome.wrong, outcome.correct, len(outcome.latencies)) == (0, 1, 1)
    assert (outcome.batch_sizes, outcome.nodes) == (Counter({4: 1}), Counter({"local-1": 1}))
    assert outcome.receipt == answer().receipt


async def test_a_model_that_errs_is_no_farm_that_errs() -> None:
    outcome = await outcome_of(answer(), index=1)
    assert outcome.ok
    assert (outcome.wrong, outcome.correct) == (0, 0)


@pytest.mark.parametrize("position", range(10))
async def test_one_wrong_probability_is_a_wrong_answer(position: int) -> None:
    probabilities = CERTAINLY_THREE.copy()
    probabilities[position] += 2 * (ATOL + RTOL * probabilities[position])
    outcome = await outcome_of(answer(probabilities))
    assert outcome.wrong == 1
    assert not outcome.ok


async def test_another_order_of_additions_is_not_wrong() -> None:
    assert (await outcome_of(answer(CERTAINLY_THREE + np.float32(ATOL / 2)))).ok


async def test_no_number_is_a_wrong_answer() -> None:
    assert (await outcome_of(answer(np.full(10, np.nan, dtype=np.float32)))).wrong == 1


async def test_the_wrong_label_is_a_wrong_answer() -> None:
    # Even where it happens to be what the image shows.
    for index in (0, 1):
        outcome = await outcome_of(answer(label=8), index)
        assert outcome.wrong == 1
        assert not outcome.ok


async def test_a_failure_is_not_ok() -> None:
    outcome = await outcome_of(NodeLostError("gone"))
    assert outcome.failures == Counter({"gone": 1})
    assert outcome.latencies == []
    assert not outcome.ok


def test_no_answer_at_all_is_not_ok() -> None:
    assert not Outcome().ok


# -- the command ----------------------------------------------------------------------


def run_demo(monkeypatch: pytest.MonkeyPatch, outcome: Outcome, *more: str) -> Result:
    stopped = []

    @contextmanager
    def running_farm(nodes: int) -> Iterator[str]:
        assert nodes == 2
        yield "127.0.0.1:1"
        stopped.append(nodes)

    async def send_digits(address: str, digits: Digits, **options: object) -> Outcome:
        assert (address, digits, options["requests"]) == ("127.0.0.1:1", DIGITS, 5)
        return outcome

    monkeypatch.setattr(demo, "load_digits", lambda: DIGITS)
    monkeypatch.setattr(demo, "running_farm", running_farm)

    def settled_usage(address: str, rows: int, since_unix_ns: int) -> LedgerFigures:
        assert (address, rows) == ("127.0.0.1:1", 5)
        assert not stopped, "a farm that has ended tells nothing"
        return FIGURES

    monkeypatch.setattr(demo, "send_digits", send_digits)
    monkeypatch.setattr(demo, "settled_usage", settled_usage)
    result = CliRunner().invoke(app, ["demo", "--nodes", "2", "--requests", "5", *more])
    assert stopped == [2], "the farm ends before the report"
    return result


def answered(**fields: object) -> Outcome:
    return Outcome(
        seconds=1.0,
        latencies=[0.01] * 5,
        correct=5,
        batch_sizes=Counter({4: 5}),
        nodes=Counter({"local-1": 5}),
        **fields,  # type: ignore[arg-type]
    )


def test_a_demo_that_went_well_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_demo(monkeypatch, answered())
    assert result.exit_code == 0, result.output
    assert "5 of 5" in result.stdout
    assert "farm:" not in result.stderr
    # 10 J of 50 were idle: 40 for 5 digits.
    for words in ("8e+03 J", "assumed", "0.1598 USD/kWh", "AWS Lambda, arm64", "EC2 c7g.medium"):
        assert words in result.stdout


def test_a_demo_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_demo(monkeypatch, answered(), "-o", "json")
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    told = document["demo"]
    assert (told["answered"], told["nodes"], told["latency_s"]["p99"]) == (5, {"local-1": 5}, 0.01)
    assert told["per_1000"]["joules"] == pytest.approx(8_000)
    assert [each["name"] for each in told["per_1000"]["baselines"]] == list(demo.BASELINES)
    failed = json.loads(run_demo(monkeypatch, Outcome(), "-o", "json").stdout)["demo"]
    assert (failed["answered"], failed["per_1000"]) == (0, None)


def test_a_wrong_answer_ends_the_demo_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_demo(monkeypatch, answered(wrong=2))
    assert result.exit_code == 1
    assert "3 of 5" in result.stdout
    assert "2 answers differ from the local model's" in result.stderr


def test_a_failed_request_ends_the_demo_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_demo(monkeypatch, answered(failures=Counter({"the node is gone": 3})))
    assert result.exit_code == 1
    assert "3 requests failed: the node is gone" in result.stderr
    assert "differ" not in result.stderr


def test_a_demo_without_any_answer_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_demo(monkeypatch, Outcome(failures=Counter({"gone": 5})))
    assert result.exit_code == 1
    assert "0 of 5" in result.stdout
    assert "5 requests failed: gone" in result.stderr
