"""Dynamic batching, queue policies and instance groups of a config."""

import pytest
from config_parsing import parse, refusal

from farm.core.models import DynamicBatching, QueuePolicy, TimeoutAction

LEVELS = "priority_levels: 2 default_priority_level: 1"


def batching(text: str, *, max_batch_size: int = 8) -> DynamicBatching:
    return parse(f"max_batch_size: {max_batch_size} dynamic_batching {{ {text} }}").batching


def test_everything_that_is_applied() -> None:
    assert batching(
        """
        preferred_batch_size: [ 8, 2, 2 ]
        max_queue_delay_microseconds: 1500
        priority_levels: 3
        default_priority_level: 2
        default_queue_policy { max_queue_size: 10 timeout_action: DELAY }
        priority_queue_policy {
          key: 1
          value { default_timeout_microseconds: 250000 allow_timeout_override: true }
        }
        """
    ) == DynamicBatching(
        preferred_batch_sizes=(2, 8),
        max_queue_delay_s=0.0015,
        priority_levels=3,
        default_priority=2,
        queue=QueuePolicy(max_queue_size=10, timeout_action=TimeoutAction.DELAY),
        queue_by_priority={1: QueuePolicy(default_timeout_s=0.25, allow_timeout_override=True)},
    )


def test_an_empty_message_leaves_all_to_the_farm() -> None:
    assert batching("") == DynamicBatching()


def test_sizes_are_not_compared_with_a_batch_size_that_is_found_out() -> None:
    parsed = parse("dynamic_batching { preferred_batch_size: 1000 }")
    assert parsed.max_batch_size is None
    assert parsed.batching.preferred_batch_sizes == (1000,)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("preferred_batch_size: 9", "preferred_batch_size is 9; a preferred size is 1 or more and"),
        ("preferred_batch_size: [4, 0]", "preferred_batch_size is 0"),
        ("preferred_batch_size: -1", "preferred_batch_size is -1"),
        ("priority_levels: 2", "default_priority_level is 0; with priority_levels 2"),
        ("priority_levels: 2 default_priority_level: 3", "default_priority_level is 3"),
        (
            f"{LEVELS} priority_queue_policy {{ key: 3 value {{}} }}",
            "priority_queue_policy is for level 3, and levels are 1 to 2",
        ),
        (
            f"{LEVELS} priority_queue_policy {{ key: 0 value {{}} }}",
            "priority_queue_policy is for level 0",
        ),
        (
            "default_queue_policy { timeout_action: 7 }",
            "default_queue_policy.timeout_action is 7",
        ),
    ],
)
def test_a_contradiction_names_the_field(text: str, part: str) -> None:
    assert f"dynamic_batching.{part}" in refusal(f"max_batch_size: 8 dynamic_batching {{ {text} }}")


@pytest.mark.parametrize(
    "text",
    [
        "max_batch_size: 0 dynamic_batching {}",
        'input { name: "x" data_type: TYPE_FP32 dims: 1 } dynamic_batching {}',
    ],
)
def test_batching_without_a_batch_axis_is_refused(text: str) -> None:
    assert "dynamic_batching is set, but max_batch_size is 0" in refusal(text)


@pytest.mark.parametrize(
    ("text", "instances"),
    [
        ("", 0),
        ("instance_group {}", 1),
        ("instance_group { count: 3 }", 3),
        ("instance_group [ { count: 3 }, {}, { count: 0 } ]", 5),
        ("instance_group [ { count: 3 passive: true }, { count: 2 } ]", 2),
        ("instance_group { passive: true }", 0),
    ],
)
def test_instances_are_counted(text: str, instances: int) -> None:
    assert parse(text).max_instances == instances


def test_a_negative_count_is_refused() -> None:
    assert "instance_group[1].count is -1" in refusal("instance_group [ {}, { count: -1 } ]")
