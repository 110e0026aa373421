"""Runs a farm of several machines as their units do, each machine an address of this one."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml
from farm_certificates import new_authority, write_certificate
from free_ports import free_base

READY_S = 90.0
STOP_S = 40.0


class Service:
    """A `farm run ...` with a service manager that listens to it."""

    def __init__(self, folder: Path, part: str, values: dict[str, Any], *, name: str = "") -> None:
        self._part = part
        name = name or part
        self._config = folder / f"{name}.yaml"
        self._config.write_text(yaml.safe_dump(values))
        self._socket = folder / f"{name}.notify"
        self._log = folder / f"{name}.log"
        self._family: set[psutil.Process] = set()

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(self._socket))
        self._manager.settimeout(READY_S)
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "farm", "run", self._part, "--config", str(self._config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(self._socket)},
            )

    def told(self, words: str) -> str:
        """Wait for a message to the service manager that holds these words."""
        while True:
            try:
                message = self._manager.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"{self._part} never said {words!r}\n{self.log()}") from None
            self._family |= set(psutil.Process(self.process.pid).children(recursive=True))
            if words in message:
                return message
            assert "STOPPING=1" not in message, f"{message}\n{self.log()}"

    def child(self, name: str) -> psutil.Process:
        return next(p for p in psutil.Process(self.process.pid).children() if p.name() == name)

    def log(self) -> str:
        return self._log.read_text()

    def wait(self) -> int:
        """Wait for the end; return the exit code. Nothing of it is left."""
        try:
            code = self.process.wait(STOP_S)
        finally:
            self._manager.close()
        _, left = psutil.wait_procs(self._family, timeout=5)
        assert not left, f"{self._part} left {left}"
        return code

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def clean_up(self) -> None:
        """End it whatever state it is in, and all that it began."""
        if not hasattr(self, "process"):
            return
        if self.process.poll() is None:
            self._family |= set(psutil.Process(self.process.pid).children(recursive=True))
            self.process.kill()
        self.process.wait()
        for process in self._family:
            if process.is_running():
                process.kill()
        self._manager.close()


class Shelf:
    """A head, a node and gateways on it, with certificates and a token of their own."""

    HEAD, NODE = "127.0.0.2", "127.0.0.3"

    def __init__(self, folder: Path, models: Path, *, grpc_port: int, metrics_port: int) -> None:
        self._folder = folder
        authority = new_authority()
        self._token = folder / "token"
        self._token.write_text(os.urandom(32).hex())
        self._token.chmod(0o600)
        # On one machine the two must not have the same ports.
        base = free_base("0.0.0.0", count=200)
        self._bases = {"pi-head": base, "pi-01": base + 100}
        self._tls = {
            "pi-head": write_certificate(folder, authority, "pi-head", self.HEAD),
            "pi-01": write_certificate(folder, authority, "pi-01", self.NODE),
        }
        self._models = models
        self._grpc, self._metrics = f"127.0.0.1:{grpc_port}", f"127.0.0.1:{metrics_port}"
        self._services: list[Service] = []
        self.head = self._machine("head", "pi-head", self.HEAD, gcs_dir=str(folder / "gcs"))
        head = f"{self.HEAD}:{self._bases['pi-head']}"
        self.node = self._machine("node", "pi-01", self.NODE, head=head)

    def gateway(self, name: str) -> Service:
        """Return a gateway that hands over to the next one."""
        values = {
            "farm": {
                "name": "shelf",
                "grpc": self._grpc,
                "metrics": self._metrics,
                "models": str(self._models),
                "state_dir": str(self._folder / "gateway"),
                "curves_dir": str(self._folder / "curves"),
                "handover": True,
            },
            "cluster": self._member("pi-head", self.HEAD),
            "nodes": {"pi-01": {"cache_dir": str(self._folder / "store")}},
        }
        return self._add(Service(self._folder, "gateway", values, name=name))

    def _machine(self, part: str, name: str, address: str, **more: str) -> Service:
        # Ray's sockets need a short path.
        values = {"name": name, "ray_dir": str(self._folder / "r"), "state_dir": str(self._folder)}
        return self._add(Service(self._folder, part, values | self._member(name, address) | more))

    def _member(self, name: str, address: str) -> dict[str, Any]:
        tls = self._tls[name]
        files = {"ca": str(tls.ca), "certificate": str(tls.certificate), "key": str(tls.key)}
        base, token = self._bases[name], str(self._token)
        return {"address": address, "port_base": base, "tls": files, "token": token}

    def _add(self, service: Service) -> Service:
        self._services.append(service)
        return service

    @contextmanager
    def cleaned_up(self) -> Iterator["Shelf"]:
        try:
            yield self
        finally:
            # Gateways first, then what they stand on.
            for service in reversed(self._services):
                service.clean_up()
