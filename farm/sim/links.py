"""A node's network link, one direction of it."""

from random import Random

from farm.sim.setup import LinkPlan


class Link:
    """Carries one message after the other at the link's speed, then the fixed part of the way."""

    def __init__(self, plan: LinkPlan, random: Random) -> None:
        self._plan = plan
        self._random = random
        self._free_at = 0.0

    def arrival(self, now: float, size_bytes: int) -> float:
        """Return when a message that is sent now will have arrived whole."""
        plan, random = self._plan, self._random
        self._free_at = max(self._free_at, now) + size_bytes / plan.bytes_per_s
        arrives_at = self._free_at + plan.base_s
        if plan.jitter_s:
            arrives_at += random.random() * plan.jitter_s
        if plan.delays_s:
            arrives_at += random.choice(plan.delays_s)
        return arrives_at
