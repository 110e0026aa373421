"""Farms to pull plugs of."""

from collections.abc import Iterator

import big_answers
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from narrow_model import write_narrow
from served_models import copy_digits, write_slow


@pytest.fixture(scope="session")
def questions() -> Questions:
    return Questions.of_the_zoo()


@pytest.fixture(scope="session")
def whole_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    """A farm of two nodes, for tests of clients: they leave it as it was.

    It serves digits, by another name with a short queue, a model that is slow, and one of big
    answers.
    """
    folder = tmp_path_factory.mktemp("whole")
    models = folder / "models"
    models.mkdir()
    copy_digits(models)
    write_narrow(models)
    write_slow(models, "slow")
    big_answers.write_big(models)
    with FarmProcess(folder, "--nodes", "2", "--models", str(models)) as process:
        yield process
