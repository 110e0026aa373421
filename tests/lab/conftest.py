"""Labs for tests, and a farm on one that several files share."""

import os
from collections.abc import Iterator
from functools import partial

import pytest
from digit_questions import Questions
from lab import Lab
from node_loss import Survives, survives_loss
from shelf_farm import ShelfFarm


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(f"test{os.getpid()}") as lab:
        yield lab


@pytest.fixture(scope="session")
def shelf() -> Iterator[ShelfFarm]:
    """A farm of a head and two nodes, made once: what is asked of it takes minutes to make."""
    with Lab(f"shelf{os.getpid()}") as lab:
        yield ShelfFarm.bootstrapped(lab)


@pytest.fixture(scope="session")
def long_shelf() -> Iterator[ShelfFarm]:
    """A farm of a head and four nodes, made once: half of them may be lost, and more."""
    with Lab(f"long{os.getpid()}") as lab:
        yield ShelfFarm.bootstrapped(lab, nodes=4, tries=3)


@pytest.fixture
def survives(
    long_shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> Survives:
    """`survives_loss` of nodes of the long shelf; the fault has the test's name."""
    return partial(survives_loss, long_shelf, questions, request.node.name)


@pytest.fixture(scope="session")
def questions() -> Questions:
    return Questions.of_the_zoo()
