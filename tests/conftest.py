"""A test that holds is written down where the figures of faults are: `FARM_FAULT_FIGURES`."""

from collections.abc import Generator

import figures
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed:
        figures.tell(item.name)
    return report
