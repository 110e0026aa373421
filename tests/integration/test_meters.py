"""Meters as they are in a network: devices that answer over HTTP, and things that are no meters.

Also a whole node with a plug and with a stand-in for `vcgencmd`.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Event, Thread

import pytest
from farm_certificates import new_authority, write_certificate

from farm.core.nodes import NodeVitals
from farm.node import probes
from farm.node.meters import http_json, network, shelly, tasmota
from farm.node.meters.network import NetworkMeter
from farm.node.meters.reading import Fault, Reading
from farm.node.service import NodeService
from farm.node.settings import MeterSettings, NodeSettings

pytestmark = pytest.mark.integration

WAIT_S = 20.0

Answer = Callable[[BaseHTTPRequestHandler], None]


def says(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer with a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def tells(document: object) -> Answer:
    return says(json.dumps(document).encode())


class FakeDevice:
    """A device on loopback: what it answers by path, 404 elsewhere, and what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.released = Event()
        device = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                device.asked.append(self.path)
                device.pages.get(self.path, says(b"Not Found", 404))(self)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def device() -> Iterator[FakeDevice]:
    made = FakeDevice()
    thread = Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.released.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_TIMEOUT_S", 0.3)


def plain(device: FakeDevice) -> NetworkMeter:
    return NetworkMeter("http", f"{device.url}/power?phase=1", http_json.questions("watts"))


GEN2 = {"id": 1, "apower": 6.4, "aenergy": {"total": 12.5, "by_minute": [0, 0, 0]}}
GEN1 = {"meters": [{"power": 5.5, "is_valid": True, "total": 703}], "uptime": 9}
TASMOTA = {"StatusSNS": {"Time": "2026-11-22T12:00:01", "ENERGY": {"Power": [5, 7], "Total": 1.5}}}


def test_a_shelly_of_a_later_generation(device: FakeDevice) -> None:
    device.pages["/rpc/Switch.GetStatus?id=1"] = tells(GEN2)
    meter = NetworkMeter("shelly", device.url, shelly.questions(1))
    assert meter.read() == Reading(watts=6.4, counted_j=45_000.0, tick_s=60.0)


def test_a_shelly_of_the_first_generation_is_asked_in_its_own_way_from_then_on(
    device: FakeDevice,
) -> None:
    device.pages["/status"] = tells(GEN1)
    meter = NetworkMeter("shelly", f"{device.url}/", shelly.questions(0))
    for _ in range(2):
        assert meter.read() == Reading(watts=5.5, counted_j=42_180.0, tick="9")
    assert device.asked == ["/rpc/Switch.GetStatus?id=0", "/status", "/status"]


@pytest.mark.parametrize("number", [10, 8])
def test_tasmota_of_any_version(device: FakeDevice, number: int) -> None:
    device.pages["/cm?cmnd=Status%2010"] = tells({"Command": "Unknown"})
    device.pages[f"/cm?cmnd=Status%20{number}"] = tells(TASMOTA)
    meter = NetworkMeter("tasmota", device.url, tasmota.questions(1))
    assert meter.read() == Reading(watts=7.0, tick="2026-11-22T12:00:01")


def test_any_meter_with_json(device: FakeDevice) -> None:
    device.pages["/power?phase=1"] = tells({"watts": 4.25})
    assert plain(device).read() == Reading(watts=4.25)
    assert plain(device).label == f"http at {device.url}/power"


def test_json_in_chunks_that_calls_itself_text(device: FakeDevice) -> None:
    device.pages["/power?phase=1"] = lambda handler: handler.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'9\r\n{"watts":\r\n4\r\n4.5}\r\n0\r\n\r\n'
    )
    assert plain(device).read() == Reading(watts=4.5)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(b"<html><body>Login</body></html>"), "answers with HTML instead of JSON"),
        (says(b"", 302, Location="/elsewhere"), "redirects, which is not followed"),
        (says(b"", 401), "wants a password"),
        (says(b"", 404), "has nothing at that address"),
        (says(b"", 500), "answers with HTTP status 500"),
        (says(b"[" * 70_000), "answers with more than 64 KB"),
        (tells({"watts": "many"}), "has 'many' at watts"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"), "not answer by HTTP"),
    ],
    ids=["html", "redirect", "password", "missing", "broken", "large", "words", "ssh"],
)
def test_what_is_no_meter_is_a_fault_in_words(device: FakeDevice, answer: Answer, why: str) -> None:
    device.pages["/power?phase=1"] = answer
    device.pages["/elsewhere"] = tells({"watts": 5.0})
    fault = plain(device).read()
    assert isinstance(fault, Fault)
    assert why in fault.text
    assert "/elsewhere" not in device.asked


def drip(device: FakeDevice, head: bytes) -> Answer:
    """An answer that never ends, of one byte at a time."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while not device.released.wait(0.02):
            handler.wfile.write(b" ")

    return answer


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow:", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_device_that_never_ends_is_given_up(device: FakeDevice, head: bytes) -> None:
    device.pages["/power?phase=1"] = drip(device, head)
    fault = plain(device).read()
    assert isinstance(fault, Fault)
    assert "does not answer within 0.3 s" in fault.text


def test_a_device_that_hangs_is_asked_only_once(device: FakeDevice) -> None:
    device.pages["/rpc/Switch.GetStatus?id=0"] = lambda _: device.released.wait(WAIT_S) and None
    fault = NetworkMeter("shelly", device.url, shelly.questions(0)).read()
    assert isinstance(fault, Fault)
    assert "does not answer within" in fault.text
    assert device.asked == ["/rpc/Switch.GetStatus?id=0"]


def test_nothing_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        fault = NetworkMeter("shelly", url, shelly.questions(0)).read()
    assert isinstance(fault, Fault)
    assert "cannot be reached (Connection refused)" in fault.text


def test_a_device_with_a_certificate(
    tmp_path: Path, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_certificate(tmp_path, new_authority(), "plug", "127.0.0.1")
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    device.server.socket = context.wrap_socket(device.server.socket, server_side=True)
    device.pages["/"] = tells({"watts": 4.0})
    url = device.url.replace("http:", "https:")
    fault = NetworkMeter("http", url, http_json.questions("watts")).read()
    assert isinstance(fault, Fault)
    assert "a certificate that nobody here trusts" in fault.text
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    assert NetworkMeter("http", url, http_json.questions("watts")).read() == Reading(watts=4.0)


@pytest.mark.parametrize("url", ["", "ftp://198.18.0.90", "http://", "http://[::1", "http://a:b"])
def test_what_is_no_url(url: str) -> None:
    fault = NetworkMeter("http", url, http_json.questions("watts")).read()
    assert isinstance(fault, Fault)
    assert "correct its `url`" in fault.text


# -- a whole node -------------------------------------------------------------------------


@contextmanager
def node(folder: Path, meter: MeterSettings | None) -> Iterator[NodeService]:
    service = NodeService(NodeSettings(node_id="pi", cache_dir=folder / "cache", meter=meter))
    try:
        yield service
    finally:
        service.close()


def heard(service: NodeService, condition: Callable[[NodeVitals], bool]) -> NodeVitals:
    """The first heartbeat of which something is true."""
    deadline = time.monotonic() + WAIT_S
    while not condition(vitals := service.vitals()):
        assert time.monotonic() < deadline, vitals
        Event().wait(0.02)
    return vitals


def test_a_nodes_heartbeats_tell_what_its_plug_measures(
    tmp_path: Path, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.node.meters.sampler._GIVEN_UP_S", 0.5)
    page = "/rpc/Switch.GetStatus?id=0"
    device.pages[page] = tells(GEN2)
    with node(tmp_path, MeterSettings(type="shelly", url=device.url, interval_s=0.02)) as service:
        first = heard(service, lambda vitals: vitals.power_w == 6.4)
        then = heard(service, lambda vitals: vitals.metered_s > first.metered_s)
        assert then.meter == "shelly"
        measured_j = then.metered_j - first.metered_j
        assert measured_j == pytest.approx(6.4 * (then.metered_s - first.metered_s))
        device.pages[page] = says(b"<html>")
        lost = heard(service, lambda vitals: vitals.power_w is None)
        assert lost.meter_fault.startswith(f"the meter shelly at {device.url} answers with HTML")
        assert service.vitals().metered_s == lost.metered_s
        device.pages[page] = tells(GEN2)
        assert heard(service, lambda vitals: vitals.power_w == 6.4).meter_fault == ""


def test_a_raspberry_pi_5_measures_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "vcgencmd"
    command.write_text(
        "#!/bin/sh\n[ $1 = pmic_read_adc ] && cat <<'ADC'\n"
        " VDD_CORE_A current(7)=2.00000000A\n   3V3_SYS_A current(1)=0.50000000A\n"
        "   3V3_SYS_V volt(9)=3.30000000V\n  VDD_CORE_V volt(15)=0.90000000V\n"
        "     EXT5V_V volt(24)=5.13900000V\nADC\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(probes, "read_board", lambda: "Raspberry Pi 5 Model B Rev 1.0")
    with node(tmp_path, None) as service:
        vitals = heard(service, lambda vitals: vitals.power_w is not None)
    assert vitals.meter == "pmic"
    assert vitals.power_w == pytest.approx(2.0 * 0.9 + 0.5 * 3.3)


def test_a_machine_without_a_meter_has_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.node.meters.selection.built_in", lambda _: None)
    with node(tmp_path, None) as service:
        vitals = service.vitals()
    assert (vitals.meter, vitals.power_w, vitals.meter_fault) == ("", None, "")
