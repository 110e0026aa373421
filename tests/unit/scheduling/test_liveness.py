"""Nobody waits for ever, however the others press."""

from itertools import count

from harness import OTHER, SCALE, Driver, calm, digest, profile, request, spec
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import Shelf

from farm.core.models import LatencyCurve, ModelKey
from farm.scheduling.events import ModelChanged, NodeJoined, RequestArrived
from farm.scheduling.limits import Hedging, SchedulingLimits
from farm.scheduling.placement import POLICIES

# Longer than all callers take one by one on the slowest node.
TURN_S = 12.0
LIMITS = (calm(), calm(hedging=Hedging(after_factor=2.0)), calm(fair=False))

curves = st.builds(
    lambda base_s, row_s, threads: LatencyCurve(((1, base_s), (8, base_s + 7 * row_s)), threads),
    st.sampled_from([0.01, 0.03, 0.1, 0.31]),
    st.sampled_from([0.0, 0.007, 0.1]),
    st.integers(0, 4),
)


@st.composite
def nodes(draw: st.DrawFn) -> list[NodeJoined]:
    """A few nodes, of which the first has both models."""
    found = []
    for name in "abc"[: draw(st.integers(1, 3))]:
        ready = {digest(SCALE): draw(curves), digest(OTHER): draw(curves)}
        if name != "a" and draw(st.booleans()):
            del ready[digest(OTHER)]
        found.append(
            NodeJoined(
                profile=profile(
                    name,
                    slots=draw(st.sampled_from([1, 2, 4])),
                    threads_per_slot=draw(st.integers(1, 2)),
                    lookahead=draw(st.sampled_from([0, 0, 1])),
                ),
                ready=ready,
            )
        )
    return found


@settings(max_examples=60, deadline=None)
@given(
    limits=st.sampled_from(LIMITS),
    policy=st.sampled_from(sorted(POLICIES)),
    joined=nodes(),
    max_batch_size=st.sampled_from([0, 1, 8]),
    max_instances=st.sampled_from([0, 0, 1, 2]),
    pressing=st.sampled_from([1, 3, 20]),
    flood=st.sampled_from([SCALE, OTHER]),
    client=st.sampled_from(["", "hugo"]),
)
def test_a_flood_of_one_model_does_not_starve_another(
    limits: SchedulingLimits,
    policy: str,
    joined: list[NodeJoined],
    max_batch_size: int,
    max_instances: int,
    pressing: int,
    flood: ModelKey,
    client: str,
) -> None:
    """Callers that each send again as soon as they are answered, and one request of another."""
    driver = Driver(limits, policy=POLICIES[policy](1))
    ids = count(1)

    def press(callers: int) -> list[RequestArrived]:
        now = driver.now
        return [
            RequestArrived(request(next(ids), model=flood, arrived_at=now)) for _ in range(callers)
        ]

    for key in (SCALE, OTHER):
        served = spec(key, max_batch_size=max_batch_size, max_instances=max_instances)
        driver.send(ModelChanged(key, served))
    driver.send(*joined, *press(pressing))
    shelf = Shelf(driver)
    for _ in range(2 * pressing):
        shelf.step()
        driver.send(*press(pressing - len(driver.referee.unanswered)))
    lonely, began = next(ids), driver.now
    other = SCALE if flood == OTHER else OTHER
    driver.send(RequestArrived(request(lonely, model=other, client=client, arrived_at=driver.now)))
    while lonely in driver.referee.waiting:
        assert driver.now < began + TURN_S, "it is starved"
        shelf.step()
        driver.send(*press(pressing + 1 - len(driver.referee.unanswered)))
    driver.wind_down()
    driver.check_nothing_left()
