"""Nodes that a farm of a lab loses under load, and gets back."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final, Protocol

from digit_questions import Questions
from lab import Host, control_groups
from new_batches import NewBatches
from repeated_looks import RepeatedLooks
from shelf_farm import ShelfFarm
from shelf_load import ShelfLoad, all_ready, incarnations, operator, operator_tls, seen

from farm.core.errors import ErrorCode, FarmError

# How long a node is gone that comes back by itself.
OUTAGE_S: Final = 20.0


class Survives(Protocol):
    """`survives_loss` on the shelf of a test, whose name is the fault's."""

    async def __call__(
        self,
        lost: Sequence[Host],
        *,
        inject: Callable[[], None],
        mend: Callable[[], None] = ...,
        outage_s: float = ...,
        allowed: Collection[ErrorCode] = ...,
    ) -> None: ...


async def survives_loss(
    shelf: ShelfFarm,
    questions: Questions,
    fault: str,
    lost: Sequence[Host],
    *,
    inject: Callable[[], None],
    mend: Callable[[], None] = lambda: None,
    outage_s: float = 0.0,
    allowed: Collection[ErrorCode] = (),
) -> None:
    """Lose nodes under load; see that nobody is told more of it than `allowed`, and all comes back.

    `mend` undoes what `inject` did, once the loss has been seen and has lasted `outage_s`, also
    where something fails before. What a lost host does to come back takes no core from the others,
    as on a shelf, where each has its own.
    """
    names = {host.name for host in lost}
    others = [host for host in shelf.nodes if host.name not in names]
    async with ShelfLoad(shelf, questions, allowed=allowed) as load:
        before = await incarnations(shelf)
        watch = NewBatches(shelf.address, sorted(names), tls=operator_tls(shelf))
        with control_groups.yielding(host.machine.group for host in lost):
            try:
                with watch as new_batches:
                    with load.pulling():
                        await asyncio.to_thread(inject)
                    await seen(
                        shelf,
                        lambda farm: all(
                            node.state != "ready" or node.incarnation != before[node.node_id]
                            for node in farm.nodes
                            if node.node_id in names
                        ),
                        f"{sorted(names)} are missed",
                    )
                    if others:
                        await load.answered()
                    else:
                        await load.refused()
                    # The fault itself lasts that long.
                    await asyncio.sleep(outage_s)
            finally:
                await asyncio.to_thread(mend)
            await all_ready(shelf)
        load.back()
        await load.answered()
    await load.kept_its_word(fault, new_batches=new_batches)


class Standings(RepeatedLooks):
    """Looks, while its block lasts, at how the nodes stand, and which actor each of them is."""

    def __init__(self, shelf: ShelfFarm) -> None:
        super().__init__()
        self._admin = operator(shelf)
        # Every pair of a node and a state that was seen, and of a node and its actor.
        self.states: set[tuple[str, str]] = set()
        self.incarnations: set[tuple[str, str]] = set()

    def look(self) -> None:
        # The network that leads to the gateway may be what is at fault.
        with suppress(FarmError):
            for node in self._admin.snapshot().nodes:
                self.states.add((node.node_id, node.state))
                self.incarnations.add((node.node_id, node.incarnation))

    def close(self) -> None:
        self._admin.close()
