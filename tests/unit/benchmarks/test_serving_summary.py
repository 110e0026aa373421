"""What the serving benchmark makes of its rounds."""

from typing import Any
from xml.etree import ElementTree

from benchmarks.serving_chart import svg
from benchmarks.serving_summary import summarise

DIGITS = "digits_sized"
MOBILENET = "mobilenetv2_sized"


def figures(per_s: float, *, p50_ms: float = 1.0, gateway_ms: float = 0.2) -> dict[str, Any]:
    return {
        "per_s": per_s,
        **{f"p{percent}_ms": p50_ms for percent in (50, 95, 99)},
        "cpu_ms": 1.0,
        "cpu_ms_by_role": {"gateway": gateway_ms},
        "first_process_cpu_us_by_thread": {"python": gateway_ms * 1e3},
        "generator_cores": 0.1,
        "others_cores": 0.0,
        "rate_counts": True,
        "rows_per_batch": None,
    }


def bare(*per_s: float) -> dict[str, Any]:
    return {str(2**at): {"per_s": rate, "others_cores": 0.0} for at, rate in enumerate(per_s)}


def server(digits: float, mobilenet: float) -> dict[str, Any]:
    return {
        "idle_cores": 0.0,
        DIGITS: {"1": figures(digits), "8": figures(digits), "64": figures(digits)},
        MOBILENET: {"8": figures(mobilenet), "64": figures(mobilenet)},
    }


def aim(rounds: list[dict[str, Any]], *words: str) -> dict[str, Any]:
    (found,) = (
        judged
        for judged in summarise(rounds)["aims"]
        if all(word in judged["figure"] for word in words)
    )
    return found


def test_a_ratio_is_taken_within_its_round() -> None:
    # The machine is ten times slower in the second round; the ratio does not notice.
    rounds = [
        {
            "bare": {DIGITS: bare(100.0 * pace), MOBILENET: bare(90.0 * pace, 100.0 * pace)},
            "farm": server(300.0 * pace, 98.0 * pace),
            "pytriton": server(200.0 * pace, 50.0 * pace),
        }
        for pace in (1.0, 0.1)
    ]

    against_pytriton = aim(rounds, "requests/s", "PyTriton")
    against_bare = aim(rounds, "bare loop", "concurrency 64")

    assert against_pytriton["values"] == [1.5, 1.5]
    assert against_pytriton["met"] is True
    # The bare loop counts with its best batch.
    assert against_bare["values"] == [0.98, 0.98]


def test_a_server_without_figures_leaves_its_aims_unmeasured_and_the_others_alone() -> None:
    first = {
        "bare": {DIGITS: bare(100.0), MOBILENET: bare(100.0)},
        "farm": server(300.0, 90.0),
        "mlserver": server(200.0, 50.0),
    }
    second = {
        "bare": {DIGITS: bare(100.0), MOBILENET: bare(100.0)},
        "farm": server(300.0, 90.0),
    }
    summary = summarise([first, second])

    assert aim([first, second], "Ray Serve")["met"] is None
    assert aim([first, second], "MLServer", "concurrency 8")["values"] == [1.8]
    assert summary["servers"]["mlserver"][DIGITS]["1"]["rounds"] == 1
    assert summary["servers"]["farm"][DIGITS]["1"]["rounds"] == 2
    assert "ray_serve" not in summary["servers"]


def test_a_latency_is_met_from_below() -> None:
    slow, fast = server(100.0, 50.0), server(100.0, 50.0)
    fast[DIGITS]["1"] = figures(100.0, p50_ms=0.5)
    measured = {"bare": {DIGITS: bare(1.0), MOBILENET: bare(1.0)}}

    assert aim([{**measured, "farm": fast, "pytriton": slow}], "p50")["met"] is True
    assert aim([{**measured, "farm": slow, "pytriton": fast}], "p50")["met"] is False


def test_one_figure_near_the_generators_limit_marks_the_median() -> None:
    near = server(100.0, 50.0)
    near[DIGITS]["64"]["rate_counts"] = False
    measured = {"bare": {DIGITS: bare(1.0), MOBILENET: bare(1.0)}}

    summary = summarise([{**measured, "farm": near}, {**measured, "farm": server(100.0, 50.0)}])

    assert summary["servers"]["farm"][DIGITS]["64"]["rate_counts"] is False
    assert summary["servers"]["farm"][DIGITS]["8"]["rate_counts"] is True


def test_the_chart_is_well_formed_without_some_of_the_servers() -> None:
    rounds = [
        {
            "bare": {DIGITS: bare(1e6), MOBILENET: bare(100.0)},
            "farm": server(300.0, 90.0),
        }
    ]
    drawn = ElementTree.fromstring(svg(summarise(rounds)))  # noqa: S314

    texts = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "bare loop: 1,000,000 rows/s" in texts
    assert "64 in flight" in texts
