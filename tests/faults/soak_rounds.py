"""The rounds of a soak: load, blows, recovery, rest, and then a look at all that was promised."""

import asyncio
import gc
import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import psutil
from farm_process import FarmProcess
from faulty_farm import settled, until
from soak_blows import Blows
from soak_books import REFUSALS, Books
from soak_load import MixedLoad
from soak_operator import Operator
from soak_plan import Blow, Fault, Round
from soak_questions import SoakQuestions
from soak_vitals import Course

from farm.client import AdminClient, AsyncFarmClient, FarmClient

# Answers before the first blow of a round and after the last.
_ANSWERS: Final = 150
# Heaps are in pieces after a flood, and as large as ever after some.
_FLOODS: Final = 3
# So many looks in a row see the same descriptors once connections are closed.
_LOOKS: Final = 20


class Soak:
    """One farm under one soak. The node `steady` is to keep its process."""

    def __init__(
        self, farm: FarmProcess, models: Path, questions: SoakQuestions, *, steady: str
    ) -> None:
        self._farm, self._models, self._questions = farm, models, questions
        self._steady = steady
        self._began_at = time.monotonic()
        self.gateway, self.node = Course("gateway"), Course(steady)
        self.clients, self.ray = Course("clients"), Course("Ray")
        self.outcomes: Counter[str] = Counter()
        self.faults: Counter[Fault] = Counter()
        self.acts: Counter[str] = Counter()

    async def warm_up(self, admin: AdminClient) -> None:
        """Flood the farm so often that allocators have taken what a flood needs."""
        books = Books()
        blows = Blows(self._farm.grpc, admin, self._questions, steady=self._steady)
        for _ in range(_FLOODS):
            await blows.deal(Blow(fault=Fault.FLOOD), books, Random(0))
        await settled(self._farm.metrics)

    async def run(
        self, planned: Round, client: AsyncFarmClient, blocking: FarmClient, admin: AdminClient
    ) -> list[str]:
        """Run a round; return each promise that the farm broke in it."""
        books, address = Books(), self._farm.grpc
        blows = Blows(address, admin, self._questions, steady=self._steady)
        random = Random(planned.seed)
        load = MixedLoad(
            address,
            self._questions,
            books,
            client=client,
            blocking=blocking,
            seed=planned.seed,
        )
        operator = Operator(
            address, self._farm.metrics, self._models, books, admin=admin, seed=planned.seed
        )
        async with load, operator:
            await load.answered(_ANSWERS)
            for blow in planned.blows:
                await blows.deal(blow, books, random)
                self.faults[blow.fault] += 1
            await load.answered(_ANSWERS)
        await settled(self._farm.metrics)
        flooded = any(blow.fault is Fault.FLOOD for blow in planned.blows)
        broken = books.violations(self._questions.truth, refusals=REFUSALS if flooded else ())
        self.outcomes += books.outcomes()
        self.acts += books.acts
        del books, blows, load, operator
        await self._look(admin)
        return [f"round {planned.number}: {each}" for each in broken]

    def __str__(self) -> str:
        """How far it is and what is held, in one line."""
        passed_s = time.monotonic() - self._began_at
        held = "; ".join(map(str, self.courses))
        return (
            f"{passed_s:.0f} s, {self.faults.total()} faults, {self.outcomes.total()} requests;"
            f" {held}"
        )

    @property
    def courses(self) -> tuple[Course, ...]:
        """What the farm's own processes and this one hold; Ray's is told, and not judged."""
        return self.gateway, self.node, self.clients, self.ray

    async def _look(self, admin: AdminClient) -> None:
        """Look at every process once it is at rest."""
        gateway = self._farm.process.pid
        node = next(
            known.pid
            for known in (await asyncio.to_thread(admin.snapshot)).nodes
            if known.node_id == self._steady
        )
        seen: list[tuple[int, int]] = []

        def is_at_rest() -> bool:
            seen.append((psutil.Process(gateway).num_fds(), psutil.Process(node).num_fds()))
            return len(seen) >= _LOOKS and len(set(seen[-_LOOKS:])) == 1

        await until(is_at_rest, "connections are closed")
        gc.collect()
        self.gateway.take(gateway)
        self.node.take(node)
        self.clients.take(os.getpid())
        self.ray.take(*self._ray_pids())

    def _ray_pids(self) -> list[int]:
        marks = ("gcs_server", "raylet", "dashboard", "log_monitor", "runtime_env")
        return [process.pid for mark in marks for process in self._farm.children(mark)]
