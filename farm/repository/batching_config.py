"""How a config wants requests queued, batched and run side by side."""

from farm.core.errors import ConfigurationError
from farm.core.models import DynamicBatching, QueuePolicy, TimeoutAction
from farm.pb.model_config_pb2 import ModelConfig, ModelQueuePolicy
from farm.repository.names import shown

_ACTIONS = {
    ModelQueuePolicy.REJECT: TimeoutAction.REJECT,
    ModelQueuePolicy.DELAY: TimeoutAction.DELAY,
}


def dynamic_batching(
    config: ModelConfig, *, max_batch_size: int | None, where: str
) -> DynamicBatching:
    """Return what `dynamic_batching` asks for; without it everything is left to the farm.

    Raises:
        ConfigurationError: it contradicts itself or `max_batch_size`; the message names the
            field.
    """
    if not config.HasField("dynamic_batching"):
        return DynamicBatching()
    declared = config.dynamic_batching
    field = f"{where}: dynamic_batching"
    if max_batch_size == 0:
        raise ConfigurationError(
            f"{field} is set, but max_batch_size is 0, so that nothing can be batched; set"
            " max_batch_size to 1 or more, or remove dynamic_batching"
        )
    sizes = tuple(sorted(set(declared.preferred_batch_size)))
    for size in sizes:
        if size < 1 or (max_batch_size is not None and size > max_batch_size):
            most = "" if max_batch_size is None else f" and at most max_batch_size {max_batch_size}"
            raise ConfigurationError(
                f"{field}.preferred_batch_size is {size}; a preferred size is 1 or more{most}"
            )
    levels = declared.priority_levels
    policies: dict[int, QueuePolicy] = {}
    if levels:
        if not 1 <= declared.default_priority_level <= levels:
            raise ConfigurationError(
                f"{field}.default_priority_level is {declared.default_priority_level}; with"
                f" priority_levels {levels} set it between 1 and {levels}"
            )
        for level in sorted(declared.priority_queue_policy):
            if not 1 <= level <= levels:
                raise ConfigurationError(
                    f"{field}.priority_queue_policy is for level {level}, and levels are 1 to"
                    f" {levels}; correct its key"
                )
            policies[level] = _policy(
                declared.priority_queue_policy[level], f"{field}.priority_queue_policy[{level}]"
            )
    return DynamicBatching(
        preferred_batch_sizes=sizes,
        max_queue_delay_s=declared.max_queue_delay_microseconds / 1e6,
        priority_levels=levels,
        default_priority=declared.default_priority_level if levels else 0,
        queue=_policy(declared.default_queue_policy, f"{field}.default_queue_policy"),
        queue_by_priority=policies,
    )


def max_instances(config: ModelConfig, where: str) -> int:
    """Return how many batches may run on a node at once; 0 leaves it to the node's slots.

    A passive group gets no requests, so it does not count.

    Raises:
        ConfigurationError: a count is negative.
    """
    total = 0
    for index, group in enumerate(config.instance_group):
        if group.count < 0:
            raise ConfigurationError(
                f"{where}: instance_group[{index}].count is {group.count}; set it to 1 or more,"
                " or leave it out for 1"
            )
        if not group.passive:
            total += group.count or 1
    return total


def _policy(declared: ModelQueuePolicy, place: str) -> QueuePolicy:
    action = _ACTIONS.get(declared.timeout_action)
    if action is None:
        raise ConfigurationError(
            f"{place}.timeout_action is {shown(str(declared.timeout_action))}; set it to REJECT"
            " or DELAY"
        )
    timeout_us = declared.default_timeout_microseconds
    return QueuePolicy(
        max_queue_size=declared.max_queue_size,
        default_timeout_s=timeout_us / 1e6 if timeout_us else None,
        allow_timeout_override=declared.allow_timeout_override,
        timeout_action=action,
    )
