"""docs/baselines.md says what the code reckons."""

import re
from pathlib import Path

import pytest

from farm.energy.baselines import Tokens, Workload, total_price
from farm.energy.boards import boards
from farm.energy.catalogue import parse_catalogue, shipped_catalogue
from farm.energy.cores import core_of
from farm.energy.pricing_rules import DAY_S, MB

DOC = (Path(__file__).parents[3] / "docs" / "baselines.md").read_text(encoding="utf-8")
NUMBER = r"([0-9.]+)"
EXAMPLES = re.findall(
    rf"^\| `([a-z0-9-]+)` \| {NUMBER} \| {NUMBER} \| {NUMBER} \| .* \| {NUMBER} \|$", DOC, re.M
)
CORES = re.findall(rf"^ *\| `([a-z0-9+-]+)` \| {NUMBER} \|", DOC, re.M)


def test_the_tables_are_found() -> None:
    assert len(EXAMPLES) == 10
    assert {name for name, _ in CORES} >= set(boards())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[0])
def test_examples_by_hand_are_what_the_code_reckons(example: tuple[str, ...]) -> None:
    name, (memory_mb, answer_kb, per_day, usd) = example[0], map(float, example[1:])
    work = Workload(
        requests=per_day,
        seconds=DAY_S,
        compute_s=0.05 * per_day,
        memory_bytes=round(memory_mb * MB),
        response_bytes=answer_kb * 1000 * per_day,
    )
    total = total_price(shipped_catalogue().baseline(name), work)
    assert total is not None
    assert total / per_day * 1000 == pytest.approx(usd, rel=5e-5)


def test_the_example_of_tokens() -> None:
    nano = shipped_catalogue().baseline("openai-gpt-5-nano")
    tokens = Tokens(input=300, output=20)
    work = Workload(requests=1, seconds=DAY_S, compute_s=0.0, tokens=tokens)
    assert total_price(nano, work) == pytest.approx(0.000023)
    assert "= 0.000023 USD" in DOC


@pytest.mark.parametrize("board", boards())
def test_boards_cores_are_those_of_the_table(board: str) -> None:
    assert float(dict(CORES)[board]) == core_of(board).relative_time


def test_the_file_of_your_own_is_taken() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", DOC, re.S)
    catalogue = parse_catalogue(block.encode(), file="baselines.md")
    assert catalogue.baseline("rented-server").currency == "EUR"
