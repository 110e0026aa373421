"""What a day costs by its requests, here and in clouds, and where the lines cross."""

from farm.cli.axes import log_axis
from farm.cli.chart import Chart, count
from farm.cli.svg import Canvas
from farm.core.text import printable
from farm.energy.break_even import BreakEven, FarmCost
from farm.energy.comparison import representatives
from farm.energy.pricing_rules import DAY_S
from farm.energy.report import Report
from farm.energy.report_words import amount

_TITLE = "What a day costs, by its requests"
# What costs less than this share of what the farm does is cheaper by far; more of it would
# squeeze the lines.
_LEAST_SHARE = 1e-3
_TABLE_ROWS = 13
# Characters for which there is room beside the lines.
_NAME = 23


def break_even_chart(report: Report) -> Chart | None:
    """Return the chart; None where it is not known what a day costs here, or anywhere else."""
    operation = report.operation
    farm = None if operation is None else operation.farm_cost
    known = [
        (printable(each.baseline.name, most=_NAME), each.break_even)
        for each in representatives(report.comparisons)
        if each.break_even is not None
    ]
    if operation is None or farm is None or not known or not farm.per_day(1.0):
        return None
    canvas = _canvas(farm, known, report.currency)
    for series, (name, found) in enumerate(known, 1):
        line = [(point.requests, point.baseline) for point in found.points]
        canvas.line([point for point in line if point[1] >= canvas.y.low], name, series)
    # All of them look at the farm at the same points.
    points = known[0][1].points
    canvas.line([(point.requests, point.farm) for point in points], "this farm", 0)
    most = points[-1].requests
    now = operation.answered / operation.seconds * DAY_S
    if 1.0 <= now <= most:
        canvas.upright(now, f"now: {amount(now, 'requests')} a day")
    for name, found in known:
        for at in (end for span in found.cheaper for end in span if 1.0 < end < most):
            said = f"as dear as {name}: {amount(at, 'requests')} requests a day"
            canvas.ring((at, farm.per_day(at)), said)
    shown = range(0, len(points), len(points) // (_TABLE_ROWS - 1))
    return Chart(
        title=_TITLE,
        svg=canvas.image(
            _TITLE,
            "; ".join(f"this farm is cheaper than {name} {found.said}" for name, found in known),
        ),
        columns=("requests a day", "this farm", *(name for name, _ in known)),
        rows=tuple(
            (
                amount(points[index].requests, "requests"),
                amount(points[index].farm, report.currency),
                *(amount(found.points[index].baseline, report.currency) for _, found in known),
            )
            for index in shown
        ),
    )


def _canvas(farm: FarmCost, known: list[tuple[str, BreakEven]], currency: str) -> Canvas:
    points = [point for _, found in known for point in found.points]
    costs = [cost for point in points for cost in (point.farm, point.baseline) if cost > 0]
    return Canvas(
        x=log_axis(1.0, max(points[-1].requests, 10.0), "requests a day", count),
        y=log_axis(
            max(min(costs), farm.per_day(1.0) * _LEAST_SHARE),
            max(costs),
            f"{currency} a day",
            count,
        ),
        name="break-even",
    )
