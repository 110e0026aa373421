"""The servers of the serving benchmark: how each one starts, and when it has settled."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.farm_process import running_farm
from benchmarks.generators import Target
from benchmarks.peer_environments import PEERS, Peer, interpreter
from benchmarks.processes import GATEWAY, CpuReading, roles
from benchmarks.report import ROOT
from benchmarks.server_process import running_server

FARM: Final = "farm"
SERVERS: Final = (FARM, *(peer.package for peer in PEERS))
TITLES: Final = {FARM: "farm", **{peer.package: peer.title for peer in PEERS}}

_START_TIMEOUT_S: Final = 180.0
# After it is ready a server may go on measuring or compiling for a while.
_IDLE_CORES: Final = 0.1
_LOOK_S: Final = 1.0
_MAX_LOOKS: Final = 30
_PEER_ENV: Final = {
    "PYTHONPATH": str(ROOT),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    "RAY_SERVE_LOG_TO_STDERR": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A server that is ready and idle, and the cores that it takes when idle."""

    target: Target
    idle_cores: float


@contextmanager
def settled_server(name: str, models: Path) -> Iterator[Settled]:
    """Start one of `SERVERS` over a repository, wait until it is idle, and end it after.

    Raises:
        PeerUnavailableError: it is not installed.
        RuntimeError: it did not get ready.
    """
    if name == FARM:
        with running_farm(models) as farm:
            yield _settled(farm.pid, farm.grpc, GATEWAY)
        return
    peer = _peer(name)
    command = [interpreter(peer), "-m", peer.module, str(models)]
    environment = {**os.environ, **_PEER_ENV}
    with running_server(command, environment, start_timeout_s=_START_TIMEOUT_S) as process:
        yield _settled(process.pid, process.grpc, "server")


def _peer(name: str) -> Peer:
    return next(peer for peer in PEERS if peer.package == name)


def _settled(pid: int, address: str, first_role: str) -> Settled:
    used = 0.0
    for _ in range(_MAX_LOOKS):
        found = roles(pid, first_role)
        before = CpuReading.take(found)
        time.sleep(_LOOK_S)
        spent = CpuReading.take(found).since(before)
        used = (sum(spent.values()) - spent["others"]) / _LOOK_S
        if used <= _IDLE_CORES:
            break
    return Settled(target=Target(address=address, pid=pid, roles=found), idle_cores=used)
