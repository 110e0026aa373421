"""Malformed requests by the thousand: each gets a status in words, and nothing is left behind.

`make fuzz` sends all of them; a sample runs with the other tests.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.request import urlopen

import pytest
import tritonclient.grpc as triton
from barrage import Barrage, Shot
from farm_process import FarmProcess, wait_until
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import mutated
from seeds import (
    CONTROL_PIECES,
    GOOD_CONTROL,
    GOOD_INFER,
    PIECES,
    SCRATCH,
    WORDS,
    control_shots,
    infer_messages,
    other_shots,
)
from served_models import copy_digits, copy_samples
from tampering import tampered

from farm.client import AdminClient
from farm.client.channel import inference_methods

INFER = inference_methods()["ModelInfer"].path

# A volley: what Hypothesis draws, each with mutants; good messages tampered with.
INFER_SEEDS, OTHER_SEEDS, CONTROL_SEEDS = 3, 3, 1
MUTANTS, CONTROL_MUTANTS = 8, 1
TAMPERED, CONTROL_TAMPERED = 40, 2
VOLLEY = (
    (INFER_SEEDS + OTHER_SEEDS) * (1 + MUTANTS)
    + CONTROL_SEEDS * (1 + CONTROL_MUTANTS)
    + TAMPERED
    + CONTROL_TAMPERED
)

SAMPLE = 2_000
ALL = 50_000

_GROWTH = 0.10
REACHED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "stream ok"}
# A load gets as far as being refused for its model once in a thousand shots or so.
REACHED_BY_MANY = REACHED | {"FAILED_PRECONDITION"}
MANY = 20_000


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("fuzz")
    models = folder / "models"
    models.mkdir()
    copy_samples(models)
    copy_digits(models)
    with FarmProcess(folder, "--nodes", "1", "--models", str(models)) as process:
        yield process


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_a_sample(farm: FarmProcess) -> None:
    assert fired(farm, SAMPLE) >= SAMPLE
    assert_whole(farm)


@pytest.mark.fuzz
@pytest.mark.timeout(3_600)
def test_all(farm: FarmProcess) -> None:
    warm_up = ALL // 5
    sent = fired(farm, warm_up)
    assert_whole(farm)
    memory, series = farm.resident_bytes(), series_of(farm)
    sent += fired(farm, ALL - warm_up)
    assert_whole(farm)
    assert sent >= ALL
    assert farm.resident_bytes() <= memory * (1 + _GROWTH)
    # A name that a client makes up must not become a label: that would never end.
    assert series_of(farm) <= series * (1 + _GROWTH)


def fired(farm: FarmProcess, count: int) -> int:
    """Send at least `count` requests, a good one after each volley; return how many."""
    barrage = Barrage(farm.grpc, secrets=(str(Path(farm.log_file).parent), "/raylet", "/ray/"))
    runner = asyncio.Runner()

    @settings(
        max_examples=-(-count // VOLLEY),
        deadline=None,
        database=None,
        # The farm is another one after each volley, so a smaller example proves nothing;
        # messages of failures hold the bytes that were sent.
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        infer=st.lists(infer_messages(), min_size=INFER_SEEDS, max_size=INFER_SEEDS),
        others=st.lists(other_shots(), min_size=OTHER_SEEDS, max_size=OTHER_SEEDS),
        control=st.lists(control_shots(), min_size=CONTROL_SEEDS, max_size=CONTROL_SEEDS),
        seed=st.integers(0, 2**32 - 1),
    )
    def volley(infer: list[bytes], others: list[Shot], control: list[Shot], seed: int) -> None:
        shots, streamed = volley_of(infer, others, control, Random(seed))
        runner.run(barrage.fire(shots, streamed))
        runner.run(barrage.check())

    with runner:
        runner.run(barrage.open())
        while barrage.sent < count:
            volley()
        runner.run(barrage.close())
    # Most are refused, but some must get through, or only the front door was tried.
    wanted = REACHED_BY_MANY if count >= MANY else REACHED
    assert set(barrage.statuses) >= wanted, barrage.statuses
    return barrage.sent


def volley_of(
    infer: list[bytes], others: list[Shot], control: list[Shot], random: Random
) -> tuple[list[Shot], list[bytes]]:
    """Return the shots of a volley, and the messages for a stream."""
    inference = list(infer)
    for raw in infer:
        inference += [mutated(raw, random, PIECES) for _ in range(MUTANTS)]
    inference += [tampered(random.choice(GOOD_INFER), random, WORDS) for _ in range(TAMPERED)]
    random.shuffle(inference)
    half = len(inference) // 2
    shots = [Shot(INFER, raw) for raw in inference[:half]]
    for shot in others:
        shots.append(shot)
        shots += [
            Shot(shot.path, mutated(shot.raw, random, PIECES), shot.streamed)
            for _ in range(MUTANTS)
        ]
    for shot in control:
        shots.append(shot)
        shots += [
            Shot(shot.path, mutated(shot.raw, random, CONTROL_PIECES))
            for _ in range(CONTROL_MUTANTS)
        ]
    for _ in range(CONTROL_TAMPERED):
        name = random.choice(sorted(GOOD_CONTROL))
        raw = tampered(GOOD_CONTROL[name], random, SCRATCH)
        shots.append(Shot(inference_methods()[name].path, raw))
    return shots, inference[half:]


def assert_whole(farm: FarmProcess) -> None:
    """Nothing waits, nothing runs, everything that was served is; put the rest away."""
    with AdminClient(farm.grpc) as admin:
        wait_until(
            lambda: (admin.snapshot().queued_requests, admin.snapshot().inflight_batches) == (0, 0),
            timeout_s=30,
            what="everything was answered",
        )
        assert [node.state for node in admin.snapshot().nodes] == ["ready"]
    own = {"simple", "simple_string", "simple_identity", "digits"}
    with triton.InferenceServerClient(farm.grpc) as client:
        ready = {m.name for m in client.get_model_repository_index().models if m.state == "READY"}
        assert own <= ready
        for name in ready - own:
            client.unload_model(name)
        client.update_log_settings({"log_verbose_level": 0})
    assert "unexpected_exception" not in farm.log()


def series_of(farm: FarmProcess) -> int:
    """How many series Prometheus would keep of this farm."""
    with urlopen(f"http://{farm.metrics}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(not line.startswith("#") for line in lines)
