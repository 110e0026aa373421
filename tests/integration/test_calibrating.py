"""A real farm's nodes are set aside and loaded for a calibration, and serve when it is cut off."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest
from farm_process import FarmProcess, wait_until

from farm.client import AdminClient

pytestmark = pytest.mark.integration

BOUND_S = 60.0
LOAD = "farm.node.exercise"


class Plug(BaseHTTPRequestHandler):
    """A meter on loopback: 3 W, and 6 W more by what the machine's cores do."""

    def do_GET(self) -> None:
        watts = 3.0 + 6.0 * psutil.cpu_percent() / 100
        body = json.dumps({"watts": watts}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def metered(tmp_path: Path) -> Iterator[FarmProcess]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plug)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    config = tmp_path / "farm.yaml"
    meter = {"type": "http", "url": f"http://127.0.0.1:{server.server_port}", "watts_at": "watts"}
    config.write_text(json.dumps({"node": {"meter": meter}}))
    try:
        with FarmProcess(tmp_path, "--nodes", "2", "--config", str(config)) as farm:
            yield farm
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nodes_serve_again_when_a_calibration_is_cut_off(metered: FarmProcess) -> None:
    with AdminClient(metered.grpc) as admin:

        def states() -> list[str]:
            return [node.state for node in admin.snapshot().nodes]

        wait_until(
            lambda: all(node.meter for node in admin.snapshot().nodes),
            timeout_s=BOUND_S,
            what="the meter tells",
        )
        calibrating = subprocess.Popen(
            [sys.executable, "-m", "farm", "calibrate", "local-1", "--yes", "--seconds", "1",
             "--connect", metered.grpc],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            wait_until(
                lambda: calibrating.poll() is not None or metered.children(LOAD),
                timeout_s=BOUND_S,
                what="the first load",
            )
            assert calibrating.poll() is None, calibrating.communicate()
            assert states() == ["cordoned", "cordoned"]
        finally:
            calibrating.kill()
            calibrating.communicate()
        wait_until(lambda: not metered.children(LOAD), timeout_s=BOUND_S, what="the load ends")
        wait_until(lambda: states() == ["ready"] * 2, timeout_s=BOUND_S, what="they serve again")
