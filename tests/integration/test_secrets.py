"""A sweep over all that a farm writes, shows and passes on: no secret is in it."""

import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from farm_process import FarmProcess, wait_until

from farm.client import AdminClient, FarmClient
from farm.core.errors import FarmError

pytestmark = [pytest.mark.integration, pytest.mark.doors]

# Each as its owner gives it to the farm; nothing listens on port 9.
METER, TRACES, CLOUD = "meter-cafe0001", "traces-cafe0002", "cloud-cafe0003"
CONFIG = f"""
nodes: 1
node:
  meter: {{type: http, url: "http://127.0.0.1:9/watts?token={METER}", watts_at: power}}
tracing:
  endpoint: http://127.0.0.1:9/v1/traces?api_key={TRACES}
  sample_ratio: 1
"""


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("secrets")
    config = folder / "farm.yaml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    with FarmProcess(
        folder,
        "--config",
        str(config),
        environment={"AWS_SECRET_ACCESS_KEY": CLOUD, "FARM_LEDGER__DIR": str(folder / "ledger")},
    ) as process:
        use(process)
        yield process


def use(farm: FarmProcess) -> None:
    """Do what leaves traces: answers, refusals, loads, what operators look at."""
    with FarmClient(farm.grpc, retries=0) as client, AdminClient(farm.grpc) as admin:
        admin.log_settings({"log_verbose_level": 1})
        for _ in range(20):
            client.infer("digits", {"image": np.zeros((1, 1, 8, 8), np.float32)}, timeout_s=60)
        with suppress(FarmError):
            client.infer("nobody", {"image": np.zeros((1, 1, 8, 8), np.float32)}, timeout_s=60)
        admin.unload("digits")
        admin.load("digits")
    told = ("traces_not_exported", "meter")
    wait_until(
        lambda: told[0] in farm.log() and told[1] in shown_to_operators(farm),
        timeout_s=120,
        what="the gateway says that traces and meter do not answer",
    )


@pytest.fixture(scope="module")
def secrets(farm: FarmProcess) -> dict[str, str]:
    """What nobody is to see, by its name."""
    with_token = [process for process in farm.family() if process.name() == "raylet"]
    token = with_token[0].environ()["RAY_AUTH_TOKEN"]
    assert len(token) == 64
    return {"meter": METER, "traces": TRACES, "environment": CLOUD, "Ray": token}


def found(secrets: dict[str, str], text: str | bytes) -> list[str]:
    """The names of those that a text holds."""
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return [name for name, secret in secrets.items() if secret in words]


def shown_to_operators(farm: FarmProcess) -> str:
    """What the gateway answers to those who look into it."""
    with AdminClient(farm.grpc) as admin:
        snapshot = admin.snapshot()
        parts: list[object] = [
            admin.version(),
            snapshot,
            *(admin.describe_node(node.node_id) for node in snapshot.nodes),
            admin.describe("digits"),
            admin.index(),
            admin.log_settings(),
            admin.terms(0),
            *admin.log(lines=2_000),
        ]
        with closing(admin.events()) as events:
            parts.append(next(events))
    return "\n".join(map(str, parts))


def test_no_argument_of_a_process_is_a_secret(farm: FarmProcess, secrets: dict[str, str]) -> None:
    processes = [psutil.Process(farm.process.pid), *farm.family()]
    assert len(processes) > 4
    seen = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            assert found(secrets, " ".join(process.cmdline())) == [], process.name()
            seen += 1
    assert seen > 4


def test_no_line_of_the_log_holds_one(farm: FarmProcess, secrets: dict[str, str]) -> None:
    assert "traces_not_exported" in farm.log()
    assert found(secrets, farm.log()) == []


def test_nothing_that_an_operator_is_shown_holds_one(
    farm: FarmProcess, secrets: dict[str, str]
) -> None:
    assert found(secrets, shown_to_operators(farm)) == []
    with urlopen(f"http://{farm.metrics}/metrics", timeout=30) as page:
        assert found(secrets, page.read()) == []


def test_no_file_of_the_farm_holds_one(farm: FarmProcess, secrets: dict[str, str]) -> None:
    """Nor may others read what Ray and the nodes keep while they run, or write to it."""
    (scratch,) = {
        Path(process.cmdline()[-1])
        for process in farm.family()
        if "farm.cluster.reaper" in process.cmdline()
    }
    # Ray lets everybody write to its folders; nobody else gets as far.
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    looked_at = 0
    for folder in (scratch, farm.log_file.parent):
        for path in folder.rglob("*"):
            if path.is_symlink() or not path.is_file() or path.name == "farm.yaml":
                continue
            assert found(secrets, path.read_bytes()) == [], path
            looked_at += 1
            if folder is not scratch:
                assert not path.stat().st_mode & stat.S_IWOTH, path
    assert looked_at > 10


def test_a_support_bundle_holds_none(
    farm: FarmProcess, secrets: dict[str, str], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    config = farm.log_file.with_name("farm.yaml")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "farm", "support-bundle", "--to", str(bundle)),
            *("--config", str(config), "--log", str(farm.log_file)),
        ],
        capture_output=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "FARM_CONNECT": farm.grpc,
            "FARM_HOME": str(tmp_path / "home"),
            "AWS_SECRET_ACCESS_KEY": CLOUD,
            "RAY_AUTH_TOKEN": secrets["Ray"],
        },
    )
    assert done.returncode == 0, done.stderr.decode()
    assert found(secrets, done.stdout + done.stderr) == []
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as archive:
        names = archive.getnames()
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            assert found(secrets, content.read()) == [], member.name
    for part in ("config.json", "machine.json", "gateway/snapshot.json"):
        assert any(name.endswith(part) for name in names), part
    assert any("log" in name for name in names)


def test_a_url_with_a_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    config = tmp_path / "farm.yaml"
    config.write_text(CONFIG.replace("127.0.0.1:9", "ann:pw-cafe0004@127.0.0.1:9"))
    done = subprocess.run(
        [sys.executable, "-m", "farm", "up", "--config", str(config)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert b"no user and no password" in done.stderr
    assert b"pw-cafe0004" not in done.stdout + done.stderr
