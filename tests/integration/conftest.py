"""Real farms for the tests of this folder."""

from collections.abc import Iterator

import pytest
from digit_load import Load
from farm_process import FarmProcess
from local_answers import Digits, answers_alone
from served_models import copy_digits, copy_named_digits, copy_samples, write_slow


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    """A farm of three nodes over the shipped zoo, for tests that leave it whole."""
    with FarmProcess(tmp_path_factory.mktemp("farm"), "--nodes", "3") as process:
        yield process


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    """A farm of one node over the sample repository, for tests that leave it whole.

    With one node the order of answers is the order of the queue.
    """
    folder = tmp_path_factory.mktemp("samples")
    models = folder / "models"
    models.mkdir()
    copy_samples(models)
    copy_digits(models)
    copy_named_digits(models, "named_digits")
    write_slow(
        models,
        "slow",
        "dynamic_batching { priority_levels: 2 default_priority_level: 2 }",
    )
    write_slow(
        models,
        "impatient",
        "dynamic_batching { default_queue_policy { max_queue_size: 1 } }",
    )
    with FarmProcess(folder, "--nodes", "1", "--models", str(models)) as process:
        yield process


@pytest.fixture(scope="session")
def digits() -> Digits:
    return answers_alone("digits")


@pytest.fixture(scope="session")
def digits_int8() -> Digits:
    return answers_alone("digits_int8")


@pytest.fixture
def load(farm: FarmProcess, digits: Digits) -> Load:
    return Load(farm.grpc, digits)
