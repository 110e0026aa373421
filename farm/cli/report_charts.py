"""The charts of a report, each with a table of what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Final

from farm.cli.report_words import amount
from farm.cli.svg import Axis, Canvas, Point, linear_axis, log_axis
from farm.cli.time_axis import time_axis
from farm.energy.comparison import representatives
from farm.energy.pricing_rules import DAY_S
from farm.energy.report import Report

_SHARES: Final = (
    ("energy_measured", "measured"),
    ("energy_modelled", "modelled"),
    ("energy_assumed", "assumed"),
)
_QUANTILES: Final = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart as SVG, and the same as a table."""

    title: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def charts(report: Report, zone: tzinfo | None) -> list[Chart]:
    """Return the charts for which there are figures."""
    drawn = [break_even_chart(report)]
    if report.steps:
        drawn += [
            _stacked(report, zone, "requests", "Requests over time", (
                ("answered", "answered"), ("failed", "failed"),
            )),
            _latencies(report, zone),
            _stacked(report, zone, "J", "Energy over time", _SHARES),
            _stacked(report, zone, report.currency, "Cost over time", (("cost", "cost"),)),
        ]  # fmt: skip
    return [chart for chart in drawn if chart is not None]


def break_even_chart(report: Report) -> Chart | None:
    """Return what a day costs by its requests, here and there; None where that is not known."""
    compared = [each for each in representatives(report.comparisons) if each.break_even is not None]
    operation = report.operation
    if not compared or operation is None:
        return None
    known = [each.break_even for each in compared if each.break_even is not None]
    farm = [(point.requests, point.farm) for point in known[0].points]
    lines = [
        (each.baseline.name, [(point.requests, point.baseline) for point in shown.points])
        for each, shown in zip(compared, known, strict=True)
    ]
    costs = [cost for _, line in (("", farm), *lines) for _, cost in line if cost > 0]
    if not costs:
        return None
    most = farm[-1][0]
    canvas = Canvas(
        x=log_axis(1.0, max(most, 10.0), "requests a day", _count),
        # Far below the farm's own cost nothing crosses it, and the lines would lie flat.
        y=log_axis(
            max(min(costs), farm[0][1] / 1e3 or min(costs)),
            max(costs),
            f"{report.currency} a day",
            _count,
        ),
        name="break-even",
    )
    for series, (name, line) in enumerate(lines, 1):
        canvas.line([point for point in line if point[1] >= canvas.y.low], name, series)
    canvas.line([point for point in farm if point[1] >= canvas.y.low], "this farm", 0)
    per_day = operation.answered / operation.seconds * DAY_S
    if 1.0 <= per_day <= most:
        canvas.upright(per_day, f"now: {amount(per_day, 'requests')} a day")
    for each, shown in zip(compared, known, strict=True):
        for crossing in _crossings(shown.cheaper, most):
            cost = _cost_at(farm, crossing)
            if cost >= canvas.y.low:
                said = f"{each.baseline.name}: {amount(crossing, 'requests')} requests a day"
                canvas.ring((crossing, cost), said)
    said = "; ".join(
        f"cheaper than {each.baseline.name} {shown.said}"
        for each, shown in zip(compared, known, strict=True)
    )
    title = "What a day costs, by its requests"
    picked = farm[:: max(len(farm) // 12, 1)]
    return Chart(
        title=title,
        svg=canvas.image(title, f"This farm is {said}."),
        columns=("requests a day", "this farm", *(name for name, _ in lines)),
        rows=tuple(
            (
                amount(requests, "requests"),
                amount(cost, report.currency),
                *(amount(_cost_at(line, requests), report.currency) for _, line in lines),
            )
            for requests, cost in picked
        ),
    )


def _crossings(cheaper: Sequence[tuple[float, float]], most: float) -> list[float]:
    return [end for span in cheaper for end in span if 1.0 < end < most]


def _cost_at(line: Sequence[Point], requests: float) -> float:
    """Return the cost of so many requests, between the two points around them."""
    for (low, cost), (high, other) in pairwise(line):
        if low <= requests <= high:
            return cost + (other - cost) * (requests - low) / (high - low) if high > low else cost
    return line[-1][1]


def _stacked(
    report: Report, zone: tzinfo | None, unit: str, title: str, parts: Sequence[tuple[str, str]]
) -> Chart | None:
    """Return bars of parts over time; None where all of it is nothing or not known."""
    values = [[step.figure(key).value or 0.0 for key, _ in parts] for step in report.steps]
    highest = max(map(sum, values))
    if not highest:
        return None
    y = linear_axis(highest, f"{unit} in {_length(report)}", _count)
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


def moment(unix_ns: int, zone: tzinfo | None) -> str:
    """Return a moment to the minute."""
    return datetime.fromtimestamp(unix_ns / 1e9, zone).strftime("%Y-%m-%d %H:%M")


def _times(report: Report, zone: tzinfo | None) -> Axis:
    return time_axis(report.steps[0].start_unix_ns / 1e9, report.until_unix_ns / 1e9, zone)


def _length(report: Report) -> str:
    minutes = report.step_s // 60
    sizes = ((1440, "day"), (60, "hour"), (1, "minute"))
    size, name = next(each for each in sizes if minutes % each[0] == 0)
    return f"{minutes // size} {name}{'s' * (minutes != size)}"


def _count(value: float) -> str:
    for least, size, name in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / size:g}{name}"
    return f"{value:,g}"
