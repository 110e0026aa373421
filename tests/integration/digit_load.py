"""Digits asked of a farm for as long as a test wants."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from local_answers import Digits

from farm.client import AsyncFarmClient, InferResult
from farm.core.errors import FarmError

# A load is warm, and a plug may be pulled, after this many answers.
WARM = 400


@dataclass
class Load:
    """Requests sent until told to stop, and what became of each."""

    address: str
    digits: Digits
    answered: int = 0
    wrong: int = 0
    errors: list[FarmError] = field(default_factory=list)
    nodes: Counter[str] = field(default_factory=Counter)
    batch_sizes: Counter[int] = field(default_factory=Counter)
    warm: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *, concurrency: int, go_on: Callable[[], bool]) -> None:
        """Send single digits from `concurrency` callers for as long as `go_on` says so."""
        async with AsyncFarmClient(self.address, retries=0) as client, asyncio.TaskGroup() as group:
            for start in range(concurrency):
                group.create_task(self._caller(client, start, go_on))

    async def _caller(self, client: AsyncFarmClient, start: int, go_on: Callable[[], bool]) -> None:
        index = start
        while go_on():
            index = (index + 1) % len(self.digits.images)
            image = self.digits.images[index : index + 1]
            try:
                result = await client.infer("digits", {"image": image}, timeout_s=30)
            except FarmError as error:
                self.errors.append(error)
            else:
                self._check(result, index)

    def _check(self, result: InferResult, index: int) -> None:
        self.answered += 1
        if self.answered >= WARM:
            self.warm.set()
        self.wrong += (
            result["probabilities"][0].tobytes() != self.digits.probabilities[index].tobytes()
        )
        self.nodes[result.receipt["node"]] += 1
        self.batch_sizes[result.receipt["batch_size"]] += 1
