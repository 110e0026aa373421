"""Load on a farm of a lab while a plug of it is pulled, and how it is seen to be well again."""

import os
import re
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import pytest
from digit_questions import MODEL, Questions
from faulty_farm import until
from figures import FaultFigures
from history import NO_NODE_LEFT, violations
from lab import Host, control_groups
from lab.terms import LabError
from new_batches import NewBatches
from recorded_load import RecordedLoad
from shelf_farm import ShelfFarm

from farm.client import AdminClient, AsyncFarmClient
from farm.client.tls import ClientTls
from farm.core.errors import ErrorCode, FarmError, ModelUnavailableError
from farm.pb.farm_admin_pb2 import FarmSnapshot

# What clients are told that do not try again while no gateway, or no node, is there.
ALL_AWAY: Final = (
    ErrorCode.UNREACHABLE,
    ErrorCode.DRAINING,
    *NO_NODE_LEFT,
)

# Services of which a head has two instances, one of each running.
HEAD: Final = "farm-head"
GATEWAY: Final = "farm-gateway"

# As long as a host takes to boot and to join, many times over.
BACK_S: Final = 240.0
# A host that is off says nothing to anybody: clients have to find out.
MISSED_S: Final = 30.0
# What a client waits for one answer that tries again: longer than a farm may be away.
PATIENCE_S: Final = 240.0
# Far more tries than fit into that.
_TRIES: Final = 10_000
# So many that the slowest hundredth of them is not two or three.
_NORMAL: Final = 2_000
_AFTERWARDS: Final = 200


class ShelfLoad:
    """Two loads on a farm: callers that try again, and callers that tell what they are told.

    Those who try again are answered whatever happens. The others may be told one of `allowed`,
    or nothing but answers if that is empty.
    """

    def __init__(
        self, shelf: ShelfFarm, questions: Questions, *, allowed: Collection[ErrorCode] = ()
    ) -> None:
        self._shelf, self._questions, self._allowed = shelf, questions, allowed
        developer = developer_tls(shelf)
        self.patient = RecordedLoad(
            shelf.address,
            questions,
            callers=3,
            retries=_TRIES,
            timeout_s=PATIENCE_S,
            pause_s=0.02,
            tls=developer,
        )
        self.plain = RecordedLoad(
            shelf.address,
            questions,
            callers=3,
            timeout_s=PATIENCE_S,
            pause_s=0.02,
            tls=developer,
            seed=1,
        )
        self._stack = AsyncExitStack()
        self._began_s = self._lost_s = self._gone_s = self._back_s = 0.0

    async def __aenter__(self) -> Self:
        await all_ready(self._shelf)
        async with self._stack as stack:
            await stack.enter_async_context(self.patient)
            await stack.enter_async_context(self.plain)
            self._began_s = time.monotonic()
            await self.answered(_NORMAL)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def answered(self, more: int = _AFTERWARDS, *, timeout_s: float = BACK_S) -> None:
        """Wait until callers of both kinds have been answered, so many times together."""

        def answers() -> tuple[int, int]:
            counts = (sum(1 for _ in load.history.answers()) for load in (self.patient, self.plain))
            patient, plain = counts
            return patient, plain

        before = answers()

        def are_more() -> bool:
            patient, plain = (now - then for now, then in zip(answers(), before, strict=True))
            return patient > 0 and plain > 0 and patient + plain >= more

        await until(are_more, f"{more} more answers", timeout_s=timeout_s)

    @contextmanager
    def pulling(self) -> Iterator[None]:
        """Take down when a plug is pulled, which the block does."""
        self._lost_s = time.monotonic()
        yield
        self._gone_s = time.monotonic()

    def back(self) -> None:
        """Say that everything is as before, just now."""
        self._back_s = time.monotonic()

    async def missed(self) -> None:
        """Wait until no plain caller waits for what it asked before the plug was out."""
        history = self.plain.history

        def none_waits() -> bool:
            replied = {each.number for each in history.replies}
            return all(each.number in replied for each in history.sent if each.at_s < self._gone_s)

        await until(none_waits, "the plain callers know that it is away", timeout_s=MISSED_S)

    async def refused(self) -> None:
        """See that who asks first now, and does not try again, is told that no node is left."""
        image = {"image": next(iter(self._questions.images.values()))}
        tls = developer_tls(self._shelf)
        async with AsyncFarmClient(self._shelf.address, tls=tls, retries=0) as newcomer:
            with pytest.raises(ModelUnavailableError):
                await newcomer.infer(MODEL, image, timeout_s=PATIENCE_S)

    async def answers_again(self) -> None:
        """Wait for an answer to a plain request that was sent since the plug was pulled."""
        await until(lambda: self._first_answer_s() is not None, "an answer", timeout_s=BACK_S)

    def _first_answer_s(self) -> float | None:
        """Return when the first plain request was answered of those after the last that failed."""
        history = self.plain.history
        # Requests go on meanwhile: first what was replied, then all that can have been sent.
        replies = list(history.replies)
        answers = {reply.number: reply.at_s for reply, _ in history.answers()}
        sent = {each.number: each.at_s for each in history.sent}
        failed = [sent[each.number] for each in replies if each.number not in answers]
        since_s = max([self._gone_s, *failed])
        return min((at for number, at in answers.items() if sent[number] >= since_s), default=None)

    async def kept_its_word(self, fault: str, *, new_batches: NewBatches | None = None) -> None:
        """See, once the load has ended, that no promise was broken; write the figures down.

        A farm is back when a test says so, else with the first answer. `new_batches` has looked
        at nodes that were lost.
        """
        truth = self._questions.truth
        broken = violations(self.patient.history, truth)
        broken += violations(self.plain.history, truth, allowed=self._allowed)
        assert not broken, broken[:10]
        await settled(self._shelf)
        back_s = self._back_s or self._first_answer_s()
        assert back_s is not None
        FaultFigures.of(
            self.plain.history,
            began_s=self._began_s,
            lost_s=self._lost_s,
            back_s=back_s,
            last_batch_s=new_batches.last_s(self._lost_s) if new_batches is not None else None,
        ).write(fault)


def developer_tls(shelf: ShelfFarm) -> ClientTls:
    """Return what a developer shows, who may infer and no more."""
    return _tls(shelf.developer, "ca.pem", "certificate.pem", "key.pem")


def operator_tls(shelf: ShelfFarm) -> ClientTls:
    """Return what the operator shows, who may do everything."""
    kept = shelf.operator.home / "farms" / "shelf"
    return _tls(kept, "ca/ca.pem", "operator.pem", "operator-key.pem")


def operator(shelf: ShelfFarm) -> AdminClient:
    """Return a client with the operator's certificate."""
    return AdminClient(shelf.address, tls=operator_tls(shelf))


def _tls(folder: Path, ca: str, certificate: str, key: str) -> ClientTls:
    return ClientTls(ca=folder / ca, certificate=folder / certificate, key=folder / key)


async def seen(
    shelf: ShelfFarm,
    condition: Callable[[FarmSnapshot], bool],
    what: str,
    *,
    timeout_s: float = BACK_S,
) -> None:
    """Wait until the farm is seen to be so; while its gateway is away it is not seen."""
    with operator(shelf) as admin:

        def is_so() -> bool:
            with suppress(FarmError):
                return condition(admin.snapshot())
            return False

        await until(is_so, what, timeout_s=timeout_s)


async def all_ready(shelf: ShelfFarm, *, timeout_s: float = BACK_S) -> None:
    """Wait until every node takes batches."""
    states: dict[str, str] = {}

    def are_ready(farm: FarmSnapshot) -> bool:
        states.update({node.node_id: node.state for node in farm.nodes})
        return all(node.state == "ready" for node in farm.nodes)

    try:
        await seen(shelf, are_ready, "every node is ready", timeout_s=timeout_s)
    except AssertionError as late:
        raise AssertionError(f"{late}; last seen: {states or 'no gateway'}") from late


async def up(host: Host) -> None:
    """Wait until a host that was switched on runs programs; its units may still be starting."""

    def runs() -> bool:
        with suppress(LabError):
            return host.shell("echo up").strip() == "up"
        return False

    await until(runs, f"{host.name} is up", timeout_s=BACK_S)


async def settled(shelf: ShelfFarm) -> None:
    """Wait until nothing waits and nothing runs."""
    await seen(
        shelf,
        lambda farm: not farm.queued_requests and not farm.inflight_batches,
        "no request waits and no batch runs",
    )


async def incarnations(shelf: ShelfFarm) -> Mapping[str, str]:
    """Return the process that each node's actor is, once every node takes batches."""
    await all_ready(shelf)
    with operator(shelf) as admin:
        return {node.node_id: node.incarnation for node in admin.snapshot().nodes}


def signal_process(host: Host, program: str, number: signal.Signals) -> None:
    """Send a signal to the one process of a host in whose command line an expression is found.

    Sent from outside, it arrives at once, however busy the host is. A child that is about to run
    another program still looks like its parent, and is not meant.
    """
    wanted = re.compile(program)
    parents: dict[int, int] = {}
    for pid in control_groups.processes(host.machine.group):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if wanted.search(" ".join(process.cmdline())):
                parents[pid] = process.ppid()
    (pid,) = (pid for pid, parent in parents.items() if parent not in parents)
    os.kill(pid, number)


def instance(host: Host, service: str) -> str:
    """Return the one of a service's two instances that runs."""
    listed = host.shell(f"systemctl list-units --plain --no-legend --state=active '{service}@*'")
    (unit,) = (line.split()[0] for line in listed.splitlines())
    return unit


def services(shelf: ShelfFarm) -> Mapping[Host, Sequence[str]]:
    """Return the units that run on the head, and on a node."""
    head = shelf.head
    return {
        head: (instance(head, HEAD), instance(head, GATEWAY)),
        shelf.nodes[0]: ("farm-node.service",),
    }


def main_pid(host: Host, unit: str) -> str:
    """Return the process that a unit is now; 0 while it is none."""
    return host.shell(f"systemctl show {unit} --property MainPID --value").strip()
