"""The program that keeps Ray running, with shell scripts in the place of Ray's programs."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from farm_certificates import new_authority, write_certificate
from farm_process import wait_until
from free_ports import free_base

from farm.cluster.machine import Machine
from farm.cluster.refusals import RefusalCode

HOST = "127.0.0.1"

RUN = """
import os, sys
from pathlib import Path
from farm.cluster import ray_service
from farm.cluster.machine import Machine
sys.executable = sys.argv[2]
sys.exit(ray_service.main())
"""

# Ends as `ray start` does, leaving Ray's processes to whoever adopts orphans. The raylet has a
# child, as Ray's agents are.
STARTS = """#!/bin/sh
here=$(dirname "$0")
"$here/gcs_server" & "$here/raylet" &
until test -e "$here/gcs_server.up" && test -e "$here/raylet.up"; do sleep 0.05; done
"""
SERVES = '#!/bin/sh\nsleep 600 &\ntouch "$0.up"\nwait\n'
FAILS = "#!/bin/sh\necho 'Exception: the raylet is unwell' >&2\nexit 3\n"
# What Ray 2.60 writes where it cannot read the tables that it kept.
FINDS_DAMAGE = """#!/bin/sh
for option; do case "$option" in --temp-dir=*) folder="${option#*=}";; esac; done
mkdir -p "$folder/session_latest/logs"
echo "Failed to open RocksDB at /gcs/tables: Corruption: no log_file_number in MANIFEST" \\
    > "$folder/session_latest/logs/gcs_server.err"
exit 1
"""
IS_SLOW = """#!/bin/sh
for option; do case "$option" in --temp-dir=*) folder="${option#*=}";; esac; done
mkdir -p "$folder/session_latest/logs"
echo "Timed out waiting for file $folder/session_1/dashboard_agent_listen_port_ab12" \\
    > "$folder/session_latest/logs/raylet.err"
exit 1
"""
# The last words of Ray 2.60 where the head has another token.
IS_REFUSED = """#!/bin/sh
echo "ray.exceptions.AuthenticationError: RPC error: InvalidAuthToken: it is incorrect" >&2
exit 1
"""
LINGERS = "#!/bin/sh\nsleep 600\n"


class Service:
    """The program under test, as a service manager runs it."""

    def __init__(self, folder: Path, machine: Machine, ray: str) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name, text in {"ray": ray, "raylet": SERVES, "gcs_server": SERVES}.items():
            program = self.programs / name
            program.write_text(text)
            program.chmod(0o755)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        self.manager.settimeout(20)
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, machine.to_json(), str(self.programs / "python")],
            stderr=subprocess.PIPE,
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
            text=True,
        )
        self.seen: set[psutil.Process] = set()

    def told(self, start: str) -> str:
        """Wait for a message to the service manager that begins so."""
        while True:
            message = self.manager.recv(4096).decode()
            self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))
            if message.startswith(start):
                return message

    def named(self, name: str) -> psutil.Process:
        return next(p for p in psutil.Process(self.process.pid).children() if p.name() == name)

    def end(self) -> tuple[int, str]:
        """Wait for the program; return its exit code and what it said. All it began is gone."""
        _, said = self.process.communicate(timeout=30)
        for process in self.seen:
            wait_until(lambda p=process: not p.is_running(), timeout_s=5, what=f"{process} ends")
        return self.process.returncode, said

    def close(self) -> None:
        self.manager.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        for process in self.seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with contextlib.ExitStack() as stack:

        def start(ray: str = STARTS) -> Service:
            tls = write_certificate(tmp_path, new_authority(), "pi-head", HOST)
            base = free_base(HOST)
            machine = Machine(
                name="pi-head",
                address=HOST,
                head=f"{HOST}:{base}",
                port_base=base,
                serves=True,
                ca=tls.ca,
                certificate=tls.certificate,
                key=tls.key,
                token=tmp_path / "token",
                ray_dir=tmp_path / "ray",
                state_dir=tmp_path,
                object_store_bytes=128 << 20,
                gcs_dir=tmp_path / "gcs",
            )
            service = Service(tmp_path, machine, ray)
            stack.callback(service.close)
            return service

        yield start


def test_a_service_that_is_stopped_ends_all_that_ray_began(run: Callable[..., Service]) -> None:
    service = run()
    assert "leads the farm" in service.told("READY=1")
    assert len(service.seen) >= 4
    service.process.send_signal(signal.SIGTERM)
    assert service.told("STOPPING=1")
    assert service.end() == (0, "")


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_service_ends_with_rays_own_processes(run: Callable[..., Service], name: str) -> None:
    service = run()
    service.told("READY=1")
    service.named(name).kill()
    code, said = service.end()
    assert code == RefusalCode.ENDED
    assert f"Ray's {name} ended by signal 9" in said


def test_the_watchdog_is_not_fed_for_a_raylet_that_does_not_answer(
    run: Callable[..., Service],
) -> None:
    service = run()
    service.told("READY=1")
    assert "Connection refused" in service.told("STATUS=Ray does not answer")


def test_a_start_that_fails_is_told_in_rays_own_words(run: Callable[..., Service]) -> None:
    code, said = run(FAILS).end()
    assert code == RefusalCode.START
    assert "exit code 3" in said
    assert "the raylet is unwell" in said


def test_a_machine_that_is_too_slow_is_told_so(run: Callable[..., Service]) -> None:
    code, said = run(IS_SLOW).end()
    assert code == RefusalCode.START
    assert "longer than the 15 s" in said


def test_a_service_is_stopped_while_ray_starts(run: Callable[..., Service]) -> None:
    service = run(LINGERS)
    service.told("EXTEND_TIMEOUT")
    service.process.send_signal(signal.SIGTERM)
    assert service.end() == (0, "")


def test_damaged_tables_are_put_aside_for_the_next_start(
    run: Callable[..., Service], tmp_path: Path
) -> None:
    (tmp_path / "gcs").mkdir()
    (tmp_path / "gcs" / "precious").touch()
    code, said = run(FINDS_DAMAGE).end()
    assert code == RefusalCode.TABLES
    assert "gcs.damaged" in said
    assert "Corruption: no log_file_number" in said
    assert not (tmp_path / "gcs").exists()
    assert (tmp_path / "gcs.damaged" / "precious").exists()


def test_a_token_that_the_head_refuses(run: Callable[..., Service], tmp_path: Path) -> None:
    code, said = run(IS_REFUSED).end()
    assert code == RefusalCode.HEAD
    assert f"the secret in {tmp_path / 'token'}" in said
    assert "farm bootstrap" in said


def test_the_program_is_small() -> None:
    code = "import sys, farm.cluster.ray_service; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    heavy = {
        "grpc",
        "numpy",
        "onnxruntime",
        "pydantic",
        "ray",
        "rich",
        "structlog",
        "typer",
        "yaml",
    }
    assert heavy & {name.partition(".")[0] for name in loaded} == set()
