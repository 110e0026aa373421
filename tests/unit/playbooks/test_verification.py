"""A farm is proved to serve: its nodes, its goldens, its first receipt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from farm.contexts import FarmHome
from farm.core.errors import FarmError
from farm.pb import open_inference_pb2 as oip
from playbooks import verification
from playbooks.credentials import Credentials
from playbooks.verification import Gateway, await_nodes, verify
from tests.unit.playbooks.minutes import Minutes
from tests.unit.playbooks.shelf_gateway import ShelfGateway, running_gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ShelfGateway]:
    with running_gateway(FarmHome(tmp_path / "home")) as running:
        yield running


def reached(gateway: ShelfGateway) -> Gateway:
    credentials = Credentials.kept(gateway.home, "shelf", now=datetime.now(tz=UTC))
    return Gateway(address=gateway.address, tls=credentials.tls)


@dataclass
class Looks:
    """Changes what the gateway tells from look to look, and no sleep takes any time."""

    gateway: ShelfGateway
    states: list[dict[str, str]]
    told: list[str] = field(default_factory=list)

    def __call__(self) -> None:
        now = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        self.gateway.nodes.clear()
        for name, state in now.items():
            self.gateway.has(name, state=state)


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "time", Minutes())


@pytest.mark.usefixtures("minutes")
def test_nodes_are_waited_for_and_what_they_do_is_told_once(gateway: ShelfGateway) -> None:
    joining = {"b": "joining", "c": "ready"}
    looks = Looks(gateway, [{}, joining, joining, {"b": "ready", "c": "lost"}])
    gateway.looks = looks
    late = await_nodes(reached(gateway), ["b", "c"], tell=looks.told.append, within_s=3600)
    assert late == {}, "c was well when it was looked at"
    assert looks.told == [
        "waiting for nodes: b: the gateway does not know it; c: the gateway does not know it",
        "waiting for nodes: b: joining: no reason given",
    ]


@pytest.mark.usefixtures("minutes")
def test_those_that_never_come_are_returned_with_the_reason(gateway: ShelfGateway) -> None:
    gateway.has("b", "c")
    gateway.has("d", state="ejected")
    gateway.nodes["d"].reason = "its golden differs"
    late = await_nodes(reached(gateway), ["b", "d", "e"], tell=lambda _: None, within_s=240)
    assert late == {"d": "ejected: its golden differs", "e": "the gateway does not know it"}


def test_a_node_that_an_operator_cordoned_is_not_waited_for(gateway: ShelfGateway) -> None:
    gateway.has("b", state="cordoned")
    assert await_nodes(reached(gateway), ["b"], tell=lambda _: None, within_s=60) == {}


@pytest.mark.usefixtures("minutes")
def test_a_gateway_that_does_not_answer_is_the_reason(gateway: ShelfGateway) -> None:
    silent = Gateway(address="127.0.0.1:1", tls=reached(gateway).tls)
    late = await_nodes(silent, ["b"], tell=lambda _: None, within_s=240)
    assert "127.0.0.1:1" in late["b"]


@pytest.mark.usefixtures("minutes")
def test_a_gateway_of_another_farm_is_not_waited_for(gateway: ShelfGateway, tmp_path: Path) -> None:
    other = Credentials.kept(FarmHome(tmp_path / "other"), "shelf", now=datetime.now(tz=UTC))
    with pytest.raises(FarmError):
        await_nodes(Gateway(address=gateway.address, tls=other.tls), ["b"], tell=lambda _: None)


INPUT = np.array([[1.0, 2.0]], dtype=np.float32)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A model `double` with two goldens of any CPU and one of another class."""
    version = tmp_path / "models" / "double" / "1"
    for cpu, name in (("any", "a"), ("any", "b"), ("cortex-a72", "c")):
        folder = version / "golden" / cpu
        folder.mkdir(parents=True, exist_ok=True)
        tolerance = {"rtol": np.float64(1e-6), "atol": np.float64(0)}
        arrays = {"input:x": INPUT, "output:y": INPUT * 2, **tolerance}
        np.savez(folder / f"{name}.npz", **arrays)
    return tmp_path / "models"


def answering(
    factor: float, output: str = "y"
) -> Callable[[oip.ModelInferRequest], oip.ModelInferResponse]:
    def answer(request: oip.ModelInferRequest) -> oip.ModelInferResponse:
        given = np.frombuffer(request.raw_input_contents[0], dtype=np.float32)
        response = oip.ModelInferResponse(model_name=request.model_name, model_version="1")
        response.outputs.add(name=output, datatype="FP32", shape=[1, 2])
        response.raw_output_contents.append((given * np.float32(factor)).tobytes())
        response.parameters["farm_node"].string_param = "b"
        return response

    return answer


def test_goldens_are_sent_through_the_farm(gateway: ShelfGateway, repository: Path) -> None:
    gateway.has("b")
    gateway.models = [("double", "1")]
    gateway.answer = answering(2)
    found = verify(reached(gateway), ["b"], repository, tell=lambda _: None)
    assert [run.golden for run in found.goldens] == ["a.npz", "b.npz"]
    assert str(found.goldens[0]) == "double 1, golden a.npz: as expected"
    assert found.problems == ()
    assert found.receipt is not None
    assert found.receipt.node == "b"


def test_an_answer_that_differs_is_a_problem(gateway: ShelfGateway, repository: Path) -> None:
    gateway.has("b")
    gateway.models = [("double", "1")]
    gateway.answer = answering(3)
    found = verify(reached(gateway), ["b"], repository, tell=lambda _: None)
    assert len(found.problems) == 2
    assert "output 'y'" in found.problems[0].problem


def test_a_missing_output_and_a_refusal_are_problems_too(
    gateway: ShelfGateway, repository: Path
) -> None:
    gateway.has("b")
    gateway.models = [("double", "1")]
    gateway.answer = answering(2, "z")
    found = verify(reached(gateway), ["b"], repository, tell=lambda _: None)
    assert found.problems[0].problem == "output 'y' is missing"
    gateway.answer = None
    found = verify(reached(gateway), ["b"], repository, tell=lambda _: None)
    assert "no node serves it" in found.problems[0].problem
    assert found.receipt is None


def test_what_is_not_served_is_not_sent(gateway: ShelfGateway, repository: Path) -> None:
    gateway.has("b")
    gateway.models = [("double", "2"), ("other", "1")]
    found = verify(reached(gateway), ["b"], repository, tell=lambda _: None)
    assert found.goldens == ()


@pytest.mark.usefixtures("minutes")
def test_a_gateway_that_does_not_answer_is_told_for_each_node(
    gateway: ShelfGateway, repository: Path
) -> None:
    silent = Gateway(address="127.0.0.1:1", tls=reached(gateway).tls)
    found = verify(silent, ["b"], repository, tell=lambda _: None)
    assert "127.0.0.1:1" in found.not_ready["b"]
    assert found.goldens == ()
