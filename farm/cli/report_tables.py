"""A report as tables on a terminal."""

import sys
from datetime import tzinfo

from farm.cli.tables import print_table
from farm.core.text import printable
from farm.energy import report_words as words
from farm.energy.figures import Section
from farm.energy.levers import dated
from farm.energy.report import Report

_INCIDENTS = 20


def print_report(report: Report, zone: tzinfo | None) -> None:
    """Print the head line, every section, the baselines, and the shares of work."""
    since, until = (
        words.moment(report.since_unix_ns, zone),
        words.moment(report.until_unix_ns, zone),
    )
    sys.stdout.write(f"{printable(report.farm)}, {since} to {until}\n")
    for warning in report.warnings:
        sys.stdout.write(f"Note: {printable(warning, most=1000)}.\n")
    if report.levers:
        print_table(
            "At a glance",
            ("lever", "figures"),
            [(lever.title, "; ".join(words.lever(lever, report))) for lever in report.levers],
        )
    for section in (*report.levers, *report.sections):
        _print_section(section)
    _print_comparisons(report)
    for group, work in report.groups.items():
        if not work:
            continue
        title, columns, rows = words.work_table(group, work)
        print_table(title, columns, [(printable(subject), *cells) for subject, *cells in rows])
    if report.incidents:
        print_table(
            "Incidents, the newest last",
            ("when", "what", "of", "told"),
            [
                (
                    words.moment(each.unix_ns, zone),
                    each.kind,
                    printable(each.subject),
                    printable(each.detail, most=200),
                )
                for each in report.incidents[-_INCIDENTS:]
            ],
        )


def _print_section(section: Section) -> None:
    print_table(
        section.title,
        words.SECTION_COLUMNS,
        [
            (
                figure.label,
                words.figure(figure),
                words.band(figure.band, figure.unit),
                words.source(figure),
                printable(figure.note, most=200),
            )
            for figure in section.figures
        ],
    )
    for note in section.notes:
        sys.stdout.write(f"- {printable(note, most=1000)}\n")


def _print_comparisons(report: Report) -> None:
    if not report.comparisons:
        return
    print_table(
        "Against clouds, for the same requests",
        ("baseline", *words.COMPARED, "the farm is cheaper", "prices"),
        [
            (
                each.baseline.name,
                *(words.figure(each.figure(key)) for key in words.COMPARED_FIGURES),
                each.figure("break_even_per_day").note,
                dated(each.baseline, each.today),
            )
            for each in report.comparisons
        ],
    )
    for rate in dict.fromkeys(each.fx for each in report.comparisons if each.fx is not None):
        sys.stdout.write(f"- converted at {rate.said(report.comparisons[0].today)}\n")
    sys.stdout.write("- what each price takes for granted: farm report --output json or html\n")
