"""Prometheus itself, with its own tool, on the alerts, the dashboard and a gateway's metrics."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from free_ports import free_port
from observability_files import ALERTS, ALERTS_TEST, FOLDER, alerts, dashboard, expressions
from observed_gateway import ObservedGateway, complete_scrape, observed_gateway
from promql_names import names

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
WAIT_S = 60.0

pytestmark = [
    pytest.mark.observability,
    pytest.mark.skipif(
        PROMETHEUS is None or PROMTOOL is None,
        reason="there is no Prometheus here; Debian has it: apt install prometheus",
    ),
]


def promtool(*arguments: str, stdin: str = "") -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=FOLDER, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedGateway]:
    with observed_gateway(tmp_path_factory.mktemp("observed")) as running:
        complete_scrape(running)
        yield running


class Prometheus:
    """A server that scrapes a gateway every second."""

    def __init__(self, folder: Path, target: str) -> None:
        assert PROMETHEUS is not None
        config = folder / "prometheus.yml"
        job = {"job_name": "farm", "static_configs": [{"targets": [target]}]}
        each = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config.write_text(
            yaml.safe_dump({"global": each, "rule_files": [str(ALERTS)], "scrape_configs": [job]})
        )
        self.address = f"127.0.0.1:{free_port()}"
        self.log = folder / "prometheus.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self.address}",
                ],
                stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, what: str, **parameters: str) -> Any:
        url = f"http://{self.address}/api/v1/{what}?{urlencode(parameters)}"
        with urlopen(url, timeout=WAIT_S) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> list[Any]:
        series: list[Any] = self.ask("query", query=expression)["result"]
        return series

    def await_scrapes(self) -> None:
        """Wait until there is enough of them for a rate, and every rule was looked at."""
        give_up = time.monotonic() + WAIT_S
        while not self._has_scraped():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.2)

    def _has_scraped(self) -> bool:
        try:
            return bool(self.value('count_over_time(up{job="farm"}[1m]) > 5'))
        except (URLError, ConnectionError):
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT_S)


@pytest.fixture(scope="module")
def prometheus(
    gateway: ObservedGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), gateway.metrics)
    try:
        server.await_scrapes()
        yield server
    finally:
        server.stop()


def filled(expression: str) -> str:
    """Return an expression as Grafana sends it when nothing is chosen."""
    for variable, value in {"$__rate_interval": "10s", "$job": "farm"}.items():
        expression = expression.replace(variable, value)
    return expression.replace("$model", ".*").replace("$node", ".*")


def test_the_alerts_are_rules() -> None:
    promtool("check", "rules", ALERTS.name)


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool("test", "rules", ALERTS_TEST.name)


def test_metrics_are_named_as_prometheus_wants_them(gateway: ObservedGateway) -> None:
    lines = complete_scrape(gateway).text.splitlines(keepends=True)
    # Triton's names are Triton's.
    ours = [line for line in lines if "nv_inference_" not in line]
    assert len(ours) < len(lines)
    promtool("check", "metrics", stdin="".join(ours))


@pytest.mark.parametrize(("place", "expression"), expressions())
def test_prometheus_answers_what_panels_and_alerts_ask(
    place: str, expression: str, prometheus: Prometheus
) -> None:
    found = prometheus.value(filled(expression))
    compared = any(sign in expression for sign in ("> ", "< ", "== "))
    assert found or compared, f"{place} shows nothing"
    for selector in names(filled(expression)).selectors:
        assert prometheus.value(f"count({selector.metric})"), selector.metric


def test_variables_of_the_dashboard_have_values(prometheus: Prometheus) -> None:
    values = {
        variable["name"]: prometheus.ask(f"label/{variable['name']}/values")
        for variable in dashboard()["templating"]["list"]
        if variable["type"] == "query"
    }
    assert values == {
        "job": ["farm"], "model": ["digits", "digits_int8"], "node": ["pi-1", "pi-2", "pi-3"],
    }  # fmt: skip


def test_every_alert_is_evaluated_and_the_lost_node_is_on_its_way(prometheus: Prometheus) -> None:
    groups = prometheus.ask("rules")["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert set(rules) == {rule["alert"] for rule in alerts()}
    assert {rule["health"] for rule in rules.values()} == {"ok"}
    assert {name for name, rule in rules.items() if rule["alerts"]} == {"FarmNodeLost"}
    (lost,) = rules["FarmNodeLost"]["alerts"]
    assert lost["labels"]["node"] == "pi-3"
    assert lost["annotations"]["summary"] == "Node pi-3 is lost"
