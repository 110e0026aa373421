"""A farm that follows its repository's folder by itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from farm_process import FarmProcess, wait_until
from served_models import adder, write_adder, write_config

from farm.client import AdminClient, FarmClient
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    ModelNotFoundError,
    ModelUnavailableError,
)

pytestmark = pytest.mark.integration

X = np.arange(4, dtype=np.float32).reshape(1, 4)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("polling") / "models"
    root.mkdir()
    write_adder(root, "steady", 1.0)
    write_adder(root, "fragile", 3.0)
    return root


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    with FarmProcess(
        models.parent,
        "--nodes",
        "1",
        "--models",
        str(models),
        environment={"FARM_REPOSITORY__CONTROL": "poll", "FARM_REPOSITORY__POLL_INTERVAL_S": "0.5"},
    ) as process:
        yield process


@pytest.fixture
def client(farm: FarmProcess) -> Iterator[FarmClient]:
    with FarmClient(farm.grpc, retries=0) as opened:
        yield opened


@pytest.fixture
def admin(farm: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(farm.grpc) as opened:
        yield opened


def added(client: FarmClient, name: str, version: str = "") -> float:
    """What the adder adds now."""
    [constant] = np.unique(client.infer(name, {"x": X}, version=version)["y"] - X)
    return float(constant)


def await_added(client: FarmClient, name: str, constant: float) -> None:
    """Wait until the adder is there and adds `constant`."""

    def reached() -> bool:
        try:
            return added(client, name) == constant
        except (ModelNotFoundError, ModelUnavailableError):
            return False

    wait_until(reached, timeout_s=20, what=f"{name} adds {constant:g}")


def reasons(admin: AdminClient, name: str) -> str:
    return " ".join(model.reason for model in admin.index() if model.name == name)


def test_a_new_model_appears(client: FarmClient, models: Path) -> None:
    assert added(client, "steady") == 1
    write_adder(models, "new", 5.0)
    await_added(client, "new", 5.0)


def test_a_folder_without_a_version_is_listed_until_it_has_one(
    client: FarmClient, admin: AdminClient, models: Path
) -> None:
    (models / "slowly_copied").mkdir()
    wait_until(
        lambda: "no version folder" in reasons(admin, "slowly_copied"),
        timeout_s=20,
        what="the empty folder is told of",
    )
    (models / "never_copied").mkdir()
    write_adder(models, "slowly_copied", 6.0)
    await_added(client, "slowly_copied", 6.0)
    (models / "never_copied").rmdir()
    wait_until(
        lambda: "never_copied" not in {model.name for model in admin.index()},
        timeout_s=20,
        what="what was refused and removed is gone",
    )


def test_a_changed_model_is_reloaded_and_no_request_fails(client: FarmClient, models: Path) -> None:
    write_adder(models, "changing", 1.0)
    await_added(client, "changing", 1.0)
    (models / "changing" / "1" / "model.onnx").write_bytes(adder(2.0))
    seen: list[float] = []

    def changed() -> bool:
        # An error of any request in between is one of the test.
        seen.append(added(client, "changing"))
        return seen[-1] == 2

    wait_until(changed, timeout_s=20, what="the new file answers")
    assert set(seen) <= {1, 2}
    assert sorted(seen) == seen


def test_a_changed_config_is_followed(client: FarmClient, models: Path) -> None:
    write_adder(models, "configured", 1.0)
    await_added(client, "configured", 1.0)
    write_config(models / "configured", "max_batch_size: 3")
    wait_until(
        lambda: client.config("configured").max_batch_size == 3,
        timeout_s=20,
        what="the config is followed",
    )
    assert added(client, "configured") == 1


def test_versions_come_and_go(client: FarmClient, models: Path) -> None:
    write_adder(models, "versions", 1.0)
    await_added(client, "versions", 1.0)
    write_adder(models, "versions", 2.0, version=2)
    await_added(client, "versions", 2.0)
    assert client.metadata("versions").versions == ("2",)
    shutil.rmtree(models / "versions" / "2")
    await_added(client, "versions", 1.0)
    assert client.metadata("versions").versions == ("1",)


def test_a_broken_change_keeps_the_old_file_serving(
    client: FarmClient, admin: AdminClient, models: Path
) -> None:
    assert added(client, "fragile") == 3
    path = models / "fragile" / "1" / "model.onnx"
    path.write_bytes(b"\x08\x08 no model" * 20)
    wait_until(
        lambda: "last load failed" in reasons(admin, "fragile"),
        timeout_s=20,
        what="the failure is told of",
    )
    assert added(client, "fragile") == 3
    assert client.model_ready("fragile")
    assert added(client, "steady") == 1
    path.write_bytes(adder(3.0))
    wait_until(lambda: not reasons(admin, "fragile"), timeout_s=20, what="it is whole again")
    assert added(client, "fragile") == 3


def test_a_broken_config_keeps_the_old_one(
    client: FarmClient, admin: AdminClient, models: Path
) -> None:
    write_config(models / "fragile", "max_batch_sizes: 4")
    wait_until(
        lambda: "max_batch_sizes" in reasons(admin, "fragile"),
        timeout_s=20,
        what="the failure is told of",
    )
    assert added(client, "fragile") == 3
    (models / "fragile" / "config.pbtxt").unlink()
    wait_until(lambda: not reasons(admin, "fragile"), timeout_s=20, what="it is whole again")


def test_a_removed_model_goes_away_and_may_come_back(
    client: FarmClient, admin: AdminClient, models: Path
) -> None:
    write_adder(models, "passing", 1.0)
    await_added(client, "passing", 1.0)
    shutil.rmtree(models / "passing")
    wait_until(
        lambda: "passing" not in {model.name for model in admin.index()},
        timeout_s=20,
        what="the model is gone",
    )
    assert not client.model_ready("passing")
    with pytest.raises(ModelNotFoundError):
        added(client, "passing")
    write_adder(models, "passing", 2.0)
    await_added(client, "passing", 2.0)


def test_nothing_is_loaded_or_unloaded_by_hand(client: FarmClient, admin: AdminClient) -> None:
    def refusal(action: str, **options: object) -> FarmError:
        with pytest.raises(ConfigurationError) as caught:
            getattr(admin, action)("steady", **options)
        return caught.value

    for error in (
        refusal("load"),
        refusal("unload"),
        refusal("load", config={"max_batch_size": 1}, files={"1/model.onnx": adder(9.0)}),
    ):
        assert "repository.control: explicit" in error.message
    assert added(client, "steady") == 1
