"""A report for programs: one JSON document, or CSV with a row a figure."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from farm.energy.comparison import Comparison
from farm.energy.figures import Figure
from farm.energy.report import Report, Work

COLUMNS = ("section", "key", "value", "unit", "source")


def document(report: Report) -> dict[str, Any]:
    """Return what is printed as JSON; keys keep their meaning within a schema version."""
    return {
        "farm": report.farm,
        "since_unix_ns": report.since_unix_ns,
        "until_unix_ns": report.until_unix_ns,
        "currency": report.currency or None,
        "is_empty": report.is_empty,
        "warnings": list(report.warnings),
        "sections": {
            section.key: {"figures": _by_key(section.figures), "notes": list(section.notes)}
            for section in (*report.levers, *report.sections)
        },
        "baselines": [_compared(each) for each in report.comparisons],
        "groups": {
            group.value: [_worked(each) for each in work] for group, work in report.groups.items()
        },
        "step_s": report.step_s,
        "steps": [_worked(each) for each in report.steps],
        "incidents": [
            {
                "unix_ns": each.unix_ns,
                "kind": each.kind.value,
                "subject": each.subject,
                "detail": each.detail,
            }
            for each in report.incidents
        ],
    }


def table(report: Report) -> str:
    """Return the figures that are known as CSV, as `rows` has them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows(report))
    return text.getvalue()


def rows(report: Report) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the figures that are known: of sections, baselines, shares and steps.

    Warnings come first, as a section of texts.
    """
    for number, warning in enumerate(report.warnings, 1):
        yield "warnings", str(number), warning, "", ""
    for section, figures in _sections(report):
        for figure in figures:
            if figure.value is not None:
                yield section, figure.key, repr(figure.value), figure.unit, figure.source.value


def _sections(report: Report) -> Iterator[tuple[str, Iterable[Figure]]]:
    for section in (*report.levers, *report.sections):
        yield section.key, section.figures
    for each in report.comparisons:
        yield f"baseline:{each.baseline.name}", each.figures
    for group, shares in report.groups.items():
        for share in shares:
            yield f"{group}:{share.subject}", share.figures
    for step in report.steps:
        yield f"step:{step.start_unix_ns}", step.figures


def _by_key(figures: Iterable[Figure]) -> dict[str, Any]:
    return {
        figure.key: {
            "value": figure.value,
            "unit": figure.unit,
            "low": None if figure.band is None else figure.band.low,
            "high": None if figure.band is None else figure.band.high,
            "source": None if figure.value is None else figure.source.value,
            "note": figure.note,
        }
        for figure in figures
    }


def _compared(comparison: Comparison) -> dict[str, Any]:
    baseline = comparison.baseline
    return {
        "name": baseline.name,
        "read": baseline.read.isoformat(),
        "age_days": baseline.age_days(comparison.today),
        "stale": baseline.stale(comparison.today),
        "source": baseline.source,
        "currency": comparison.price.currency,
        "fx": None if comparison.fx is None else comparison.fx.said(comparison.today),
        "figures": _by_key(comparison.figures),
        "assumptions": list(comparison.price.assumptions),
        "break_even": None
        if comparison.break_even is None
        else [{"from": low, "to": high} for low, high in comparison.break_even.cheaper],
    }


def _worked(work: Work) -> dict[str, Any]:
    return {
        "subject": work.subject,
        "start_unix_ns": work.start_unix_ns,
        "figures": _by_key(work.figures),
    }
