"""An operator who never rests: loads and unloads a model, looks at everything, watches."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from metrics_page import counted
from served_models import write_adder
from soak_books import Books
from soak_questions import GUEST

from farm.client import AdminClient, FarmClient
from farm.core.errors import ErrorCode, FarmError
from farm.core.ledger import GroupBy, LedgerQuery

# What may come of an act while a node goes or comes.
_MEANWHILE: Final = {
    ErrorCode.NODE_LOST,
    ErrorCode.MODEL_UNAVAILABLE,
    ErrorCode.LOAD_FAILED,
    ErrorCode.DEADLINE_EXCEEDED,
}
_LOOK_BACK_NS: Final = 60 * 10**9


class Operator:
    """Acts until the block ends; what comes of each act is counted in `books`."""

    def __init__(
        self,
        address: str,
        metrics: str,
        models: Path,
        books: Books,
        *,
        admin: AdminClient,
        seed: int,
    ) -> None:
        self._address, self._metrics, self._models, self._books = address, metrics, models, books
        self._admin = admin
        self._random = Random(f"{seed} operator")
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Operator":
        self._task = asyncio.create_task(self._act())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        if self._task is not None:
            await self._task

    async def _act(self) -> None:
        acts: tuple[Callable[[], object], ...] = (
            self._change_guest,
            self._change_guest,
            self._look,
            self._look_back,
            self._read_ledger,
            self._watch,
            self._watch_events,
            self._read_logs,
            self._scrape,
            self._describe,
        )
        while not self._ended.is_set():
            act = self._random.choice(acts)
            name = act.__name__.strip("_")
            try:
                await asyncio.to_thread(act)
                self._books.acts[f"{name} ok"] += 1
            except FarmError as error:
                self._books.acts[f"{name} {error.code}"] += 1
                if error.code not in _MEANWHILE:
                    self._books.surprises.append(f"{name}: {error.code}: {error.message}")

    def _change_guest(self) -> None:
        """Serve a new model, ask it, and take it away."""
        constant = float(self._random.randrange(10**6))
        write_adder(self._models, GUEST, constant)
        self._admin.load(GUEST, timeout_s=60)
        x = np.zeros((1, 4), dtype=np.float32)
        with FarmClient(self._address) as client:
            if client.infer(GUEST, {"x": x}, timeout_s=60)["y"].tolist() != [[constant] * 4]:
                self._books.surprises.append("a model that was just loaded answers as another one")
        if self._random.random() < 0.8:
            self._admin.unload(GUEST, timeout_s=60)

    def _look(self) -> None:
        with AdminClient(self._address) as admin:
            admin.version(timeout_s=60)
            admin.snapshot(timeout_s=60)
            admin.index(timeout_s=60)

    def _look_back(self) -> None:
        self._admin.history(timeout_s=60)
        self._admin.history("local-1", timeout_s=60)
        self._admin.terms(time.time_ns() - _LOOK_BACK_NS, timeout_s=60)

    def _read_ledger(self) -> None:
        since = time.time_ns() - _LOOK_BACK_NS
        group = self._random.choice(list(GroupBy))
        self._admin.ledger(LedgerQuery(since_unix_ns=since, until_unix_ns=0, group=group))
        with closing(self._admin.ledger_records(since)) as records:
            list(islice(records, 2_000))

    def _watch(self) -> None:
        with closing(self._admin.watch(0.05)) as snapshots:
            list(islice(snapshots, 5))

    def _watch_events(self) -> None:
        with closing(self._admin.events(timeout_s=60)) as events:
            next(events)

    def _read_logs(self) -> None:
        list(self._admin.log(lines=200, timeout_s=60))
        with closing(self._admin.log("local-1", lines=10, follow=True, timeout_s=60)):
            pass

    def _scrape(self) -> None:
        counted(self._metrics, "farm_queued_requests")

    def _describe(self) -> None:
        for node in ("local-1", "local-2", "local-3"):
            self._admin.describe_node(node, timeout_s=60)
        self._admin.describe("digits", timeout_s=60)
