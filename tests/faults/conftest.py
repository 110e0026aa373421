"""Farms to pull plugs of."""

import pytest
from digit_questions import Questions


@pytest.fixture(scope="session")
def questions() -> Questions:
    return Questions.of_the_zoo()
