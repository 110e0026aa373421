"""What can be wrong before a farm serves."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from farm_process import FarmProcess, wait_until

from farm import zoo
from farm.client import AdminClient, FarmClient
from farm.core.errors import ErrorCode, FarmError

pytestmark = pytest.mark.integration

IMAGE = np.zeros((1, 1, 8, 8), dtype=np.float32)


@pytest.mark.parametrize("option", ["grpc", "metrics"])
def test_a_port_in_use_is_named_at_once(tmp_path: Path, option: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        farm = FarmProcess(tmp_path, "--nodes", "1", **{option: address})
        farm.launch()
        assert farm.process.wait(20) == 2
        assert farm.stop() == 2
    assert f"{address} cannot be bound" in farm.log()
    assert "Traceback" not in farm.log()


def test_a_port_already_served_by_another_farm_is_refused(
    farm: FarmProcess, tmp_path: Path
) -> None:
    second = FarmProcess(tmp_path, "--nodes", "1", grpc=farm.grpc)
    second.launch()
    assert second.process.wait(20) == 2
    second.stop()
    assert f"{farm.grpc} cannot be bound" in second.log()


def test_another_ray_on_the_machine_is_left_alone(tmp_path: Path) -> None:
    """A cluster that Ray's own files and RAY_ADDRESS point at is neither joined nor harmed."""
    ray = Path(sys.executable).parent / "ray"
    # Ray's sockets need a short path.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_enable_worker_prestart": "0"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = [ray, "start", "--head", f"--port={port}", "--num-cpus=0", f"--temp-dir={folder}"]
    started = subprocess.run(
        [*start, "--include-dashboard=false", "--disable-usage-stats"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert started.returncode == 0, started.stderr + started.stdout
    try:
        ray_address = {"RAY_ADDRESS": f"127.0.0.1:{port}"}
        farm = FarmProcess(tmp_path, "--nodes", "1", environment=ray_address)
        farm.launch()
        try:
            farm.await_ready()
            with FarmClient(farm.grpc) as client:
                assert client.infer("digits", {"image": IMAGE})["label"].shape == (1,)
        finally:
            assert farm.stop() == 0
        # The other cluster still answers.
        status = subprocess.run(
            [ray, "status", f"--address=127.0.0.1:{port}"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert status.returncode == 0, status.stderr
    finally:
        _stop_ray(folder)


def _stop_ray(folder: Path) -> None:
    """End the processes of the cluster in `folder`, and only those."""
    own = [
        process
        for process in psutil.process_iter()
        if str(folder) in " ".join(_command(process)) and process.pid != os.getpid()
    ]
    for process in own:
        process.kill()
    psutil.wait_procs(own, timeout=15)
    shutil.rmtree(folder, ignore_errors=True)


def _command(process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_corrupt_model_is_listed_and_the_rest_serve(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    shutil.copytree(zoo.models_dir() / "digits", repository / "digits")
    broken = repository / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "model.onnx").write_bytes(b"\x08\x08" + b"not a model" * 50)
    (repository / "empty").mkdir()
    with FarmProcess(tmp_path, "--nodes", "2", "--models", str(repository)) as farm:
        with AdminClient(farm.grpc) as admin:
            models = {model.name: model for model in admin.snapshot().models}
        assert models["digits"].state == "ready"
        assert models["broken"].state == "unavailable"
        assert "not a readable ONNX model" in models["broken"].reason
        assert models["empty"].state == "unavailable"
        assert str(tmp_path) not in models["broken"].reason + models["empty"].reason
        with FarmClient(farm.grpc) as client:
            assert client.infer("digits", {"image": IMAGE}).receipt["node"]
            assert not client.model_ready("broken")
            with pytest.raises(FarmError) as caught:
                client.infer("broken", {"image": IMAGE})
        assert caught.value.code is ErrorCode.MODEL_UNAVAILABLE


def test_nodes_keep_their_own_copy_of_a_model(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    shutil.copytree(zoo.models_dir() / "digits", repository / "digits")
    with FarmProcess(tmp_path, "--nodes", "2", "--models", str(repository)) as farm:
        # No node has the repository's files open or mapped, and none needs them any more.
        for process in farm.family():
            mapped = {entry.path for entry in process.memory_maps()}
            mapped |= {entry.path for entry in process.open_files()}
            assert not [path for path in mapped if path.startswith(str(repository))]
        shutil.rmtree(repository)
        with FarmClient(farm.grpc) as client:
            nodes = {client.infer("digits", {"image": IMAGE}).receipt["node"] for _ in range(20)}
        assert nodes == {"local-1", "local-2"}


def test_only_the_ready_line_is_on_standard_output_and_nobody_need_read_it(
    tmp_path: Path,
) -> None:
    """Ray prints there when a worker dies, and a service may have no standard output."""
    with FarmProcess(tmp_path, "--nodes", "2") as farm:
        with AdminClient(farm.grpc) as admin:
            os.kill(admin.snapshot().nodes[0].pid, signal.SIGKILL)
            wait_until(
                lambda: [n.state for n in admin.snapshot().nodes] != ["ready", "ready"],
                timeout_s=20,
                what="the loss is noticed",
            )
            wait_until(
                lambda: [n.state for n in admin.snapshot().nodes] == ["ready", "ready"],
                timeout_s=60,
                what="the node is back",
            )
        farm.terminate()
        assert farm.process.wait(60) == 0
        assert farm.process.stdout is not None
        assert farm.process.stdout.read() == ""
    command = f"{sys.executable} -m farm up --nodes 1 --models {tmp_path}/none >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == 2


def test_an_unreadable_repository_is_a_usage_error(tmp_path: Path) -> None:
    farm = FarmProcess(tmp_path, "--models", str(tmp_path / "nowhere"))
    farm.launch()
    assert farm.process.wait(20) == 2
    farm.stop()
    assert "nowhere" in farm.log()
    assert "Traceback" not in farm.log()
