"""Joules of a running farm: whatever is killed under load, none is lost and none is made up."""

import asyncio
import os
import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from digit_load import Load
from farm_process import FarmProcess, wait_until
from local_answers import Digits
from metrics_page import counted

from farm.client import AdminClient
from farm.core.ledger import GroupBy, IncidentKind, LedgerAnswer, LedgerQuery

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WATTS = 7.5
CONFIG = """
power: {{window_s: 2, currency: EUR, price_per_kwh: 0.30, overhead_w: 1.5}}
node:
  board_price: 100
  meter: {{type: http, url: "http://127.0.0.1:{port}/", watts_at: power}}
"""


class _Device(BaseHTTPRequestHandler):
    """A meter that always tells the same, until it is taken away."""

    taken_away = False

    def do_GET(self) -> None:
        if type(self).taken_away:
            self.send_error(503)
            return
        body = b'{"power": %.1f}' % WATTS
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


async def test_joules_are_conserved_while_nodes_and_the_meter_fail(
    tmp_path: Path, digits: Digits
) -> None:
    device = ThreadingHTTPServer(("127.0.0.1", 0), _Device)
    Thread(target=device.serve_forever, daemon=True).start()
    config = tmp_path / "farm.yaml"
    config.write_text(CONFIG.format(port=device.server_address[1]))
    began_ns = time.time_ns()
    try:
        with (
            FarmProcess(tmp_path, "--nodes", "3", "--config", str(config)) as farm,
            AdminClient(farm.grpc) as admin,
        ):
            load = Load(farm.grpc, digits)
            await _run_with_faults(load, admin, farm)
            answer, drawn = await asyncio.to_thread(_settled, farm, admin, began_ns)
            query = LedgerQuery(since_unix_ns=began_ns, until_unix_ns=0, group=GroupBy.WASTE)
            waste = {each.key: each.usage for each in admin.ledger(query).figures}
    finally:
        device.shutdown()
        device.server_close()
    (total,) = answer.figures
    assert total.usage.joules == pytest.approx(drawn["joules"], rel=0.01)
    assert total.usage.measured_j == pytest.approx(drawn["measured"], rel=0.01)
    assert total.usage.cost == pytest.approx(drawn["cost"], rel=0.01)
    # Both halves of the run are in it: with a meter, and without one.
    assert 0 < total.usage.measured_j < total.usage.joules
    assert total.counts.answered == load.answered
    assert waste["retried"].joules > 0, "batches of the nodes that were killed answered nobody"
    wasted_j = sum(each.joules for each in waste.values())
    assert wasted_j == pytest.approx(total.wasted.joules)
    # A kilowatt-hour costs 0.30; the boards cost the rest.
    assert total.usage.power_cost == pytest.approx(total.usage.joules * 0.30 / 3.6e6)
    assert total.usage.power_cost < total.usage.cost
    assert [each.subject for each in answer.incidents if each.kind is IncidentKind.NODE_LOST]


async def _run_with_faults(load: Load, admin: AdminClient, farm: FarmProcess) -> None:
    """Send digits; kill two nodes, one after the other, then take the meter away."""

    async def fail_one_by_one() -> None:
        await load.warm.wait()
        await _become(lambda: counted(farm.metrics, "farm_energy_joules_total", source="measured"))
        for name in ("local-1", "local-3"):
            node = next(n for n in admin.snapshot().nodes if n.node_id == name)
            os.kill(node.pid, signal.SIGKILL)
            await _become(lambda node=node: _revived(admin, node.node_id, node.incarnation))
        _Device.taken_away = True
        assumed = {"source": "assumed"}
        before = counted(farm.metrics, "farm_energy_joules_total", **assumed)
        await _become(
            lambda: counted(farm.metrics, "farm_energy_joules_total", **assumed) > before + WATTS
        )

    failing = asyncio.create_task(fail_one_by_one())
    await load.run(concurrency=32, go_on=lambda: not failing.done())
    failing.result()


def _revived(admin: AdminClient, name: str, incarnation: str) -> bool:
    node = next(n for n in admin.snapshot().nodes if n.node_id == name)
    return node.state == "ready" and node.incarnation != incarnation


def _settled(
    farm: FarmProcess, admin: AdminClient, began_ns: int
) -> tuple[LedgerAnswer, dict[str, float]]:
    """Return the ledger and what was drawn, both as of one moment after all was settled."""
    query = LedgerQuery(since_unix_ns=began_ns, until_unix_ns=0)
    found: list[tuple[LedgerAnswer, dict[str, float]]] = []

    def at_rest() -> bool:
        before = _drawn(farm)
        answer = admin.ledger(query)
        idle_since = answer.figures[0].batches
        settled = found and found[-1][0].figures[0].batches == idle_since
        found.append((answer, before))
        return bool(settled) and _drawn(farm) == before

    wait_until(at_rest, timeout_s=30, what="all batches are settled")
    return found[-1]


def _drawn(farm: FarmProcess) -> dict[str, float]:
    joules = "farm_energy_joules_total"
    return {
        "joules": counted(farm.metrics, joules),
        "measured": counted(farm.metrics, joules, source="measured"),
        "cost": counted(farm.metrics, "farm_cost_total"),
    }


async def _become(condition, timeout_s: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + timeout_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < give_up, "the condition never came true"
        await asyncio.sleep(0.1)
