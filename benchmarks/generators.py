"""Runs a load generator in its own process and watches what it and the servers take.

Every generator takes --address, --method, --request FILE, --concurrency, --seconds and
--warmup. It keeps that many calls in flight, prints the line `counting` when the warm-up
is over and `counted` when the measurement is, and then one JSON object:

- `seconds` that were measured, and `cpu_s`, its own processor time in them,
- `latencies_us` of each reply in them, empty where calls share a stream,
- `statuses`, the number of calls by gRPC status, and the message of one `failure`,
- `samples`, every 16th reply's bytes in hexadecimal.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import CpuReading, thread_seconds
from benchmarks.report import ROOT
from farm.client.channel import inference_methods

GENERATOR: Final = "generator"
# Above this share of a core the generator may be what is measured.
MAX_GENERATOR_CORES: Final = 0.7

_UNARY: Final = inference_methods()["ModelInfer"].path
_STREAM: Final = inference_methods()["ModelStreamInfer"].path
# `make bench` builds it where a compiler and gRPC's C++ library are.
_COMPILED: Final = ROOT / "benchmarks" / ".build" / "unary_load"
_OK: Final = "0"
# What a generator may take beside warm-up and measurement.
_GRACE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A program that loads a server, and the method it calls."""

    name: str
    command: tuple[str, ...]
    method: str


PYTHON_UNARY: Final = Generator(
    name="Python (grpc.aio), unary calls over one connection",
    command=(sys.executable, "-m", "benchmarks.load"),
    method=_UNARY,
)
PYTHON_STREAM: Final = Generator(
    name="Python (grpc.aio), one stream",
    command=(sys.executable, "-m", "benchmarks.stream_load"),
    method=_STREAM,
)


def unary_generator() -> Generator:
    """Return the compiled generator if it was built, else the one in Python."""
    if not _COMPILED.exists():
        return PYTHON_UNARY
    return Generator(
        name="compiled (C++, gRPC), unary calls over one connection",
        command=(str(_COMPILED),),
        method=_UNARY,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under load: its address, its processes' roles by pid, and its first process."""

    address: str
    pid: int
    roles: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did: replies, their latencies, and CPU seconds while they were counted.

    `cpu_s` is by role with the generator and `others`, the rest of the machine's processes;
    `thread_cpu_s` is of the server's first process by thread name.
    """

    count: int
    seconds: float
    latencies_us: tuple[int, ...]
    samples: tuple[bytes, ...]
    cpu_s: Mapping[str, float]
    thread_cpu_s: Mapping[str, float]

    @property
    def per_s(self) -> float:
        return self.count / self.seconds

    @property
    def rate_counts(self) -> bool:
        """False: the generator was near its own limit, so requests/s does not count."""
        return self.cpu_s[GENERATOR] / self.seconds <= MAX_GENERATOR_CORES


def load(
    generator: Generator,
    target: Target,
    request: Path,
    *,
    concurrency: int,
    seconds: float,
    warmup: float,
) -> Loaded:
    """Load `target` with the bytes of `request`, again and again.

    Raises:
        RuntimeError: the generator failed, a call did, or no reply came.
    """
    process = subprocess.Popen(
        [
            *generator.command,
            *("--address", target.address, "--method", generator.method),
            *("--request", str(request), "--concurrency", str(concurrency)),
            *("--seconds", str(seconds), "--warmup", str(warmup)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = process.stdout
        _expect("counting", lines.readline())
        before, threads_before = CpuReading.take(target.roles), thread_seconds(target.pid)
        _expect("counted", lines.readline())
        after, threads_after = CpuReading.take(target.roles), thread_seconds(target.pid)
        said = lines.read()
        process.wait(_GRACE_S)
    finally:
        process.kill()
        process.communicate()
    cpu = after.since(before)
    threads = {name: used - threads_before.get(name, 0.0) for name, used in threads_after.items()}
    return _loaded(json.loads(said), cpu, threads)


def _expect(word: str, line: str) -> None:
    if line.strip() != word:
        raise RuntimeError(f"the load generator said '{line.strip()}' instead of '{word}'")


def _loaded(said: dict[str, Any], cpu: dict[str, float], threads: dict[str, float]) -> Loaded:
    failed = {status: count for status, count in said["statuses"].items() if status != _OK}
    if failed:
        raise RuntimeError(f"calls failed, by gRPC status: {failed}; one said: {said['failure']}")
    count = said["statuses"].get(_OK, 0)
    if not count:
        raise RuntimeError(f"no reply within {said['seconds']:.1f} s")
    # The generator is among the others until its own account of itself is taken off.
    own = said["cpu_s"]
    return Loaded(
        count=count,
        seconds=said["seconds"],
        latencies_us=tuple(said["latencies_us"]),
        samples=tuple(bytes.fromhex(sample) for sample in said["samples"]),
        cpu_s={**cpu, GENERATOR: own, "others": max(cpu["others"] - own, 0.0)},
        thread_cpu_s=threads,
    )
