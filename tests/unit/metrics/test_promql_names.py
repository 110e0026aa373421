"""What the tests of dashboards and alerts find in an expression."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promql_names import Selector, names

WORDS = st.from_regex(r"[a-z_:][a-z0-9_:]{0,8}", fullmatch=True).map(lambda word: f"m_{word}")


@pytest.mark.parametrize(
    ("expression", "metrics", "groupings"),
    [
        ("farm_x", ["farm_x"], set()),
        ("rate(farm_x[5m])", ["farm_x"], set()),
        ("sum by (a, b) (rate(farm_x[5m])) > 0.1", ["farm_x"], {"a", "b"}),
        ("sum(farm_x) by (a) / on (b) group_left () farm_y", ["farm_x", "farm_y"], {"a", "b"}),
        ("farm_x offset 10m or farm_x * 0", ["farm_x", "farm_x"], set()),
        ("histogram_quantile(0.95, sum by (le) (farm_x))", ["farm_x"], {"le"}),
        ("farm_x == bool 1 unless farm_y", ["farm_x", "farm_y"], set()),
        ("farm_x > 1e3 and farm_y < inf", ["farm_x", "farm_y"], set()),
        ("rate(farm_x[$__rate_interval])", ["farm_x"], set()),
    ],
)
def test_metrics_and_groupings_are_found(
    expression: str, metrics: list[str], groupings: set[str]
) -> None:
    found = names(expression)
    assert [selector.metric for selector in found.selectors] == metrics
    assert found.groupings == groupings


def test_matchers_are_found_with_what_they_ask() -> None:
    found = names('sum(farm_x{a="b{c}", d=~"$job|e\\"", f!=""}) / farm_y{}')
    assert found.selectors == [
        Selector("farm_x", {"a": ("=", "b{c}"), "d": ("=~", '$job|e\\"'), "f": ("!=", "")}),
        Selector("farm_y"),
    ]


@pytest.mark.parametrize("expression", ['farm_x{a="b"', "farm_x{a}", "sum by (a", 'farm_x{"a"=b}'])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="no"):
        names(expression)


@given(
    metric=WORDS,
    labels=st.dictionaries(WORDS, st.text(alphabet='ab{}(),=" \\', max_size=5), max_size=3),
)
@settings(deadline=None)
def test_what_is_written_is_found(metric: str, labels: dict[str, str]) -> None:
    quoted = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in labels.items()}
    matchers = ", ".join(f'{k}="{v}"' for k, v in quoted.items())
    found = names(f"sum by (x) (rate({metric}{{{matchers}}}[5m])) > 1")
    assert found.selectors == [Selector(metric, {k: ("=", v) for k, v in quoted.items()})]
