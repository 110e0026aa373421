"""Mixed load on a farm for a long time while faults come by a seed: what it holds stays flat.

`SOAK_S` is how long it takes, `SOAK_SEED` its seed, and `SOAK_ROUND` the first round: one that
failed can be run again by itself. What it holds is compared over `ENOUGH_ROUNDS` rounds or more.
"""

import logging
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from figures import tell
from soak_plan import round_of
from soak_questions import SoakQuestions, write_models
from soak_rounds import Soak

from farm.client import AdminClient, AsyncFarmClient, FarmClient

LASTS_S = float(os.environ.get("SOAK_S", "90"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
FIRST = int(os.environ.get("SOAK_ROUND", "0"))

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(LASTS_S * 2 + 600)]

NODES = ("local-1", "local-2")
# Its process lives as long as the soak, so that what it holds can be compared.
STEADY = "local-3"
# Rounds before what is held is compared: caches fill, threads start.
WARM_UP = 2
# What memory may grow by, and from how many rounds on that can be told.
FLAT = 1.05
ENOUGH_ROUNDS = 60
# Connections and threads that are about to end, or begin late.
SLACK = 4
# How often a line tells how far it is.
TELL_S = 60.0

_log = logging.getLogger("soak")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("soak") / "models"
    root.mkdir()
    write_models(root)
    return root


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    # Batches wait for their window's end: with a short one as few as ever do so at rest.
    short = {"FARM_POWER__WINDOW_S": "2"}
    repository = ("--models", str(models))
    with FarmProcess(models.parent, "--nodes", "3", *repository, environment=short) as process:
        yield process


async def test_nothing_grows_while_faults_come(
    farm: FarmProcess, models: Path, questions: Questions, request: pytest.FixtureRequest
) -> None:
    soak = Soak(farm, models, SoakQuestions.of(questions, models), steady=STEADY)
    _log.info("SOAK_SEED=%d SOAK_ROUND=%d SOAK_S=%g", SEED, FIRST, LASTS_S)
    ends_at = tell_at = time.monotonic()
    ends_at += LASTS_S
    async with AsyncFarmClient(farm.grpc) as client:
        with FarmClient(farm.grpc) as blocking, AdminClient(farm.grpc) as admin:
            await soak.warm_up(admin)
            for number in count(FIRST):
                planned = round_of(SEED, number, NODES)
                _log.debug("%s", planned)
                broken = await soak.run(planned, client, blocking, admin)
                assert broken == [], f"SOAK_SEED={SEED} SOAK_ROUND={number}: {planned}"
                if (now := time.monotonic()) >= tell_at:
                    tell_at = now + TELL_S
                    _log.info("%s", soak)
                if now >= ends_at and number - FIRST > WARM_UP:
                    break
    _log.info("%s", soak)
    tell_all(soak, request.node.name)
    for course in (soak.gateway, soak.node, soak.clients):
        warm, last = course.vitals[WARM_UP], course.vitals[-1]
        assert last.descriptors <= warm.descriptors + SLACK, (course.name, warm, last)
        assert last.threads <= warm.threads + SLACK, (course.name, warm, last)
    # Not of clients: gRPC keeps some of every call that is cancelled (docs/client.md).
    for course in (soak.gateway, soak.node):
        if len(course.vitals) >= ENOUGH_ROUNDS:
            held = [vitals.own_bytes for vitals in course.vitals]
            assert course.growth() <= FLAT, (course.name, held)


def tell_all(soak: Soak, test: str) -> None:
    """Write down what was asked, what was done to the farm, and what it held."""
    gateway, node = soak.gateway.vitals, soak.node.vitals
    enough = len(gateway) >= ENOUGH_ROUNDS
    tell(
        test,
        requests=soak.outcomes.total(),
        answered=soak.outcomes["answered"],
        faults=soak.faults.total(),
        rounds=len(gateway),
        gateway_growth=soak.gateway.growth() if enough else None,
        node_growth=soak.node.growth() if enough else None,
        gateway_first_mib=gateway[WARM_UP].own_mib,
        gateway_last_mib=gateway[-1].own_mib,
        node_first_mib=node[WARM_UP].own_mib,
        node_last_mib=node[-1].own_mib,
        gateway_first_descriptors=gateway[WARM_UP].descriptors,
        gateway_last_descriptors=gateway[-1].descriptors,
        node_first_descriptors=node[WARM_UP].descriptors,
        node_last_descriptors=node[-1].descriptors,
    )
