"""A gateway takes over from another one: clients that know nothing of it lose no request."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from free_ports import free_address
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

pytestmark = [pytest.mark.integration, pytest.mark.faults]

PROGRAM = Path(__file__).with_name("handover_gateway.py")
FAKES = Path(__file__).parents[1] / "unit" / "engine"
WAIT_S = 60.0
# Channels of one process share connections unless they are told not to.
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


@contextmanager
def gateway(
    name: str, folder: Path, grpc: str, metrics: str, *absent: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a gateway over a node of that name, and `absent` ones; it serves when this returns."""
    (folder / name).mkdir()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), name, str(folder / name), grpc, metrics, *absent],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FAKES)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Traffic:
    """Callers that never pause and never try again; `answers` counts what each node answered."""

    def __init__(self, address: str) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._address = address
        self._ended = Event()
        self._threads = [
            Thread(target=caller) for caller in (self._one_connection, self._many_connections) * 3
        ]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def await_answers(self, node: str) -> None:
        """Wait until a node has answered some more requests."""
        enough = self.answers[node] + 50
        wait(lambda: self.answers[node] >= enough or bool(self.failures))

    def _one_connection(self) -> None:
        with InferenceServerClient(self._address, channel_args=OWN_CONNECTION) as client:
            while not self._ended.is_set():
                self._call(client)

    def _many_connections(self) -> None:
        while not self._ended.is_set():
            with InferenceServerClient(self._address, channel_args=OWN_CONNECTION) as client:
                self._call(client)

    def _call(self, client: Any) -> None:
        asked = InferInput("x", [1, 2], "UINT8")
        asked.set_data_from_numpy(np.array([[1, 2]], np.uint8))
        try:
            response = client.infer("digits", [asked]).get_response()
        except InferenceServerException as error:
            self.failures.append(str(error))
        else:
            self.answers[response.parameters["farm_node"].string_param] += 1


def wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not until():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.05)


def scraped(metrics: str, node: str) -> bool:
    """Whether the metrics page is that of the gateway over a node."""
    with urlopen(f"http://{metrics}/metrics", timeout=WAIT_S) as page:
        return f'node="{node}"' in page.read().decode()


def test_no_request_fails_when_gateways_take_over(tmp_path: Path) -> None:
    grpc, metrics = free_address(), free_address()
    with gateway("one", tmp_path, grpc, metrics) as one, Traffic(grpc) as traffic:
        traffic.await_answers("one")
        with gateway("two", tmp_path, grpc, metrics):
            one.send_signal(signal.SIGUSR1)
            assert one.wait(WAIT_S) == 0
            traffic.await_answers("two")
            assert scraped(metrics, "two")
            traffic.end()
    assert traffic.failures == []
    assert set(traffic.answers) == {"one", "two"}


def test_where_nobody_serves_the_first_node_is_enough(tmp_path: Path) -> None:
    grpc = free_address()
    with gateway("one", tmp_path, grpc, free_address(), "absent"), Traffic(grpc) as traffic:
        traffic.await_answers("one")
        traffic.end()
    assert traffic.failures == []
