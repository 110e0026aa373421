"""Prometheus' own tool on the alerts and on a real scrape."""

import shutil
import subprocess
from pathlib import Path

import pytest
from observability_files import ALERTS, ALERTS_TEST, FOLDER, expressions
from observed_gateway import scrape_observed_gateway

PROMTOOL = shutil.which("promtool")

pytestmark = [
    pytest.mark.observability,
    pytest.mark.skipif(
        PROMTOOL is None, reason="there is no promtool here; Debian has it: apt install prometheus"
    ),
]


def promtool(*arguments: str, stdin: str = "") -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=FOLDER, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_are_rules() -> None:
    promtool("check", "rules", ALERTS.name)


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool("test", "rules", ALERTS_TEST.name)


def test_metrics_are_named_as_prometheus_wants_them(tmp_path: Path) -> None:
    text = scrape_observed_gateway(tmp_path).text
    # Triton's names are Triton's.
    ours = [line for line in text.splitlines(keepends=True) if "nv_inference_" not in line]
    assert len(ours) < len(text.splitlines())
    promtool("check", "metrics", stdin="".join(ours))


def test_every_expression_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    rules = ["groups:", "- name: dashboard", "  rules:"]
    for number, (_, expression) in enumerate(expressions()):
        known = expression.replace("$__rate_interval", "1m")
        rules += [f"  - record: panel_{number}", f"    expr: |\n      {known}"]
    file = tmp_path / "panels.yaml"
    file.write_text("\n".join(rules) + "\n")
    promtool("check", "rules", str(file))
