"""A report as one HTML page that needs nothing else: no script, no font, no other file.

Names of models, clients and hosts come from others. All text is escaped, and the page forbids
itself scripts and whatever would be loaded.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from farm.cli.break_even_chart import break_even_chart
from farm.cli.chart import Chart
from farm.cli.report_charts import charts_over_time
from farm.cli.report_style import STYLE
from farm.energy import report_words as words
from farm.energy.comparison import Comparison, representatives
from farm.energy.figures import Figure, Section
from farm.energy.levers import dated
from farm.energy.report import Report, Work

_NO_BREAK = "\N{NO-BREAK SPACE}"
# Of an amount with its unit.
_SHORT = 18


def page(report: Report, *, made: datetime) -> str:
    """Return the page; moments are told in the time zone of `made`."""
    title = f"{report.farm}: what its requests cost"
    zone = made.tzinfo
    since, until = (
        words.moment(report.since_unix_ns, zone),
        words.moment(report.until_unix_ns, zone),
    )
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="when">{since} to {until} {escape(made.tzname() or "")}, made'
        f" {made:%Y-%m-%d %H:%M}</p>",
        *(f'<p class="warning" role="note">Note: {escape(text)}.</p>' for text in report.warnings),
    ]
    if not report.is_empty:
        costs = break_even_chart(report)
        body += [
            '<div class="levers">',
            *(_lever(lever, report.comparisons) for lever in report.levers),
            "</div>",
            _comparisons(report),
            "" if costs is None else _chart(costs),
            *(_section(section) for section in (*report.levers, *report.sections)),
            *(_chart(chart) for chart in charts_over_time(report, zone)),
            *(_group(group.value, work) for group, work in report.groups.items()),
        ]
    if report.incidents:
        body.append(
            _table(
                "Incidents, one by one",
                ("when", "what", "of", "told"),
                (
                    (words.moment(each.unix_ns, zone), each.kind.value, each.subject, each.detail)
                    for each in report.incidents
                ),
            )
        )
    body.append(_assumptions(report))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _lever(section: Section, comparisons: Sequence[Comparison]) -> str:
    """Return a section as a card of the head line: its figures alone."""
    items = [
        f"<dt>{escape(figure.label)}</dt><dd>{_amount(figure)}"
        f' <span class="source">{escape(words.source(figure))}</span></dd>'
        for figure in section.figures
        if figure.value is not None
    ]
    first = section.figures[0]
    if first.value is None:
        items.insert(
            0,
            f"<dt>{escape(first.label)}</dt><dd>{words.UNKNOWN}</dd><dt>{escape(first.note)}</dt>",
        )
    if section.key == "cost":
        items += [
            f"<dt>1,000 at {escape(each.baseline.name)}, prices of {each.baseline.read}</dt>"
            f"<dd>{escape(words.beside(each))}</dd>"
            for each in representatives(comparisons)
        ]
    title = escape(section.title)
    return f'<section class="lever"><h2>{title}</h2><dl>{"".join(items)}</dl></section>'


def _amount(figure: Figure) -> str:
    return escape(words.figure(figure)).replace(" ", _NO_BREAK)


def _section(section: Section) -> str:
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in section.notes)
    return (
        _table(
            section.title,
            words.SECTION_COLUMNS,
            (
                (
                    figure.label,
                    words.figure(figure),
                    words.band(figure.band, figure.unit),
                    words.source(figure),
                    figure.note,
                )
                for figure in section.figures
            ),
        )
        + notes
    )


def _comparisons(report: Report) -> str:
    if not report.comparisons:
        return ""
    return _table(
        "Against clouds, for the same requests",
        ("baseline", *words.COMPARED, "the farm is cheaper"),
        (
            (
                f"{each.baseline.name}, prices of {each.baseline.read}",
                *(words.figure(each.figure(key)) for key in words.COMPARED_FIGURES),
                each.figure("break_even_per_day").note,
            )
            for each in report.comparisons
        ),
    )


def _assumptions(report: Report) -> str:
    if not report.comparisons:
        return ""
    said = "".join(
        f"<dt>{escape(each.baseline.name)}</dt><dd><ul>"
        + "".join(f"<li>{escape(text)}</li>" for text in _said(each))
        + "</ul></dd>"
        for each in report.comparisons
    )
    return f"<h2>What the clouds' prices take for granted</h2><dl>{said}</dl>"


def _said(comparison: Comparison) -> list[str]:
    """Return what has to be known of a comparison."""
    said = [dated(comparison.baseline, comparison.today), *comparison.price.assumptions]
    if comparison.fx is not None:
        said.append(f"converted at {comparison.fx.said(comparison.today)}")
    if comparison.unsaved:
        said.append(comparison.unsaved)
    return said


def _chart(chart: Chart) -> str:
    table = _rows(chart.columns, chart.rows)
    return (
        f"<figure><figcaption>{escape(chart.title)}</figcaption>{chart.svg}"
        f"<details><summary>The same in figures</summary>{table}</details></figure>"
    )


def _group(name: str, work: Sequence[Work]) -> str:
    if not work:
        return ""
    return _table(*words.work_table(name, work))


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"<h2>{escape(title)}</h2>{_rows(columns, rows)}"


def _rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(_cell(cell) for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(text: str) -> str:
    """Return a cell; what begins with a number is not broken between it and its unit."""
    told = escape(text)
    short = len(text) <= _SHORT and text[:1] in "-0123456789"
    return f"<td>{told.replace(' ', _NO_BREAK) if short else told}</td>"
