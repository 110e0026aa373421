"""Farms under a fault: what is asked of them meanwhile, and how they are seen to be well again."""

import asyncio
from collections.abc import Callable
from typing import Final

from farm_process import wait_until
from metrics_page import counted

from farm.client import AdminClient

# What is nothing in a farm that has nothing to do.
_IDLE_GAUGES: Final = (
    "farm_queued_requests",
    "farm_batches_in_flight",
    "farm_unread_answer_bytes",
)


async def until(condition: Callable[[], bool], what: str, *, timeout_s: float = 60.0) -> None:
    """Wait for a condition, which may block, with a bound."""
    await asyncio.to_thread(wait_until, condition, timeout_s=timeout_s, what=what)


async def settled(metrics: str) -> None:
    """Wait until nothing waits, runs or is unread at the gateway with these metrics."""

    def is_idle() -> bool:
        return not any(counted(metrics, gauge) for gauge in _IDLE_GAUGES)

    await until(is_idle, f"{' and '.join(_IDLE_GAUGES)} are 0 again")


async def measured(admin: AdminClient, model: str) -> None:
    """Wait until every node knows how long a model takes: it measures that beside its batches."""
    await until(
        lambda: all(node.curve for node in admin.describe(model)[0].nodes),
        f"every node has measured '{model}'",
    )
