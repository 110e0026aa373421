"""What a farm did and took over time."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from farm.cli.axes import Axis, linear_axis, log_axis, time_axis
from farm.cli.chart import Chart, count
from farm.cli.svg import Canvas, Point
from farm.energy.report import Report
from farm.energy.report_words import amount, moment

_SHARES: Final = (
    ("energy_measured", "measured"),
    ("energy_modelled", "modelled"),
    ("energy_assumed", "assumed"),
)
_QUANTILES: Final = ("p50", "p95", "p99")


def charts_over_time(report: Report, zone: tzinfo | None) -> list[Chart]:
    """Return requests, latency, joules and cost over time, as far as they are known."""
    if not report.steps:
        return []
    asked = (("answered", "answered"), ("failed", "failed"))
    drawn = [
        _stacked(report, zone, "requests", "Requests over time", asked),
        _latencies(report, zone),
        _stacked(report, zone, "J", "Energy over time", _SHARES),
        _stacked(report, zone, report.currency, "Cost over time", (("cost", "cost"),)),
    ]
    return [chart for chart in drawn if chart is not None]


def _stacked(
    report: Report, zone: tzinfo | None, unit: str, title: str, parts: Sequence[tuple[str, str]]
) -> Chart | None:
    """Return bars of parts over time; None where all of it is nothing or not known."""
    values = [[step.figure(key).value or 0.0 for key, _ in parts] for step in report.steps]
    highest = max(map(sum, values))
    if not highest:
        return None
    y = linear_axis(highest, f"{unit} in {_length(report)}", count)
    canvas = Canvas(x=_times(report, zone), y=y, name=title.split(maxsplit=1)[0].lower())
    for step, amounts in zip(report.steps, values, strict=True):
        start_s = step.start_unix_ns / 1e9
        end_s = min(start_s + report.step_s, report.until_unix_ns / 1e9)
        canvas.bar(start_s, max(end_s, start_s), amounts)
    labels = [label for _, label in parts]
    if len(parts) > 1:
        canvas.legend(labels)
    return _over_time(
        report,
        zone,
        title,
        canvas,
        tuple(labels),
        [tuple(amount(step.figure(key).value, unit) for key, _ in parts) for step in report.steps],
    )


def _latencies(report: Report, zone: tzinfo | None) -> Chart | None:
    known = [
        value
        for step in report.steps
        for key in _QUANTILES
        if (value := step.figure(key).value) is not None
    ]
    if not known:
        return None
    y = log_axis(min(known), max(known), "latency", lambda value: amount(value, "s"))
    canvas = Canvas(x=_times(report, zone), y=y, name="latency")
    for series, key in enumerate(_QUANTILES):
        stretches = _stretches(report, key)
        for index, stretch in enumerate(stretches, 1):
            canvas.line(stretch, key if index == len(stretches) else "", series)
    return _over_time(
        report,
        zone,
        "Latency over time",
        canvas,
        _QUANTILES,
        [tuple(amount(step.figure(key).value, "s") for key in _QUANTILES) for step in report.steps],
    )


def _stretches(report: Report, key: str) -> list[list[Point]]:
    """Return lines without a gap; where nothing is known for a while one ends."""
    stretches: list[list[Point]] = []
    last_ns = 0
    for step in report.steps:
        known = step.figure(key).value
        if known is None:
            continue
        if not stretches or step.start_unix_ns - last_ns > report.step_s * 1_000_000_000:
            stretches.append([])
        middle_s = min(step.start_unix_ns / 1e9 + report.step_s / 2, report.until_unix_ns / 1e9)
        stretches[-1].append((middle_s, known))
        last_ns = step.start_unix_ns
    return stretches


def _over_time(
    report: Report,
    zone: tzinfo | None,
    title: str,
    canvas: Canvas,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
) -> Chart:
    return Chart(
        title=title,
        svg=canvas.image(title, f"{', '.join(columns)}, in steps of {_length(report)}"),
        columns=("from", *columns),
        rows=tuple(
            (moment(step.start_unix_ns, zone), *row)
            for step, row in zip(report.steps, rows, strict=True)
        ),
    )


def _times(report: Report, zone: tzinfo | None) -> Axis:
    return time_axis(report.steps[0].start_unix_ns / 1e9, report.until_unix_ns / 1e9, zone)


def _length(report: Report) -> str:
    minutes = report.step_s // 60
    sizes = ((1440, "day"), (60, "hour"), (1, "minute"))
    size, name = next(each for each in sizes if minutes % each[0] == 0)
    return f"{minutes // size} {name}{'s' * (minutes != size)}"
