"""However many names clients and operators come up with, series are those of what is served."""

from itertools import count

import pytest
from little_farm import LittleFarm, artifact

from farm.core.errors import ErrorCode, ModelNotFoundError
from farm.core.ledger import WasteKind
from farm.core.models import ModelKey
from farm.core.requests import BatchTiming, LedgerEntry, Receipt
from farm.metrics.prometheus import PrometheusObserver

NAMES = 10_000
NODES = ("a", "b")
RECEIPT = Receipt(
    node_id="a", route="farm", digest="d", batch_rows=4, queue_s=0.003, compute_s=0.5, threads=1,
    share=1.0, attempts=2, policy="round_robin",
)  # fmt: skip
NUMBERS = count(1)


def series(observer: PrometheusObserver) -> int:
    """How many series there are; those of the process itself depend on the machine."""
    return sum(
        len(family.samples)
        for family in observer.registry.collect()
        if family.name.startswith("farm_")
    )


def work(observer: PrometheusObserver, key: ModelKey) -> None:
    """Tell of everything that a version can have series for."""
    for code in (None, *ErrorCode):
        observer.request_finished(key, code, 0.1, RECEIPT if code is None else None)
    for node_id in NODES:
        for outcome in ("completed", ErrorCode.NODE_LOST):
            done = outcome == "completed"
            observer.batch_settled(
                LedgerEntry(
                    batch_id=next(NUMBERS), model=key, digest="d", node_id=node_id, rows=4,
                    requests=2, outcome=outcome, queue_s=0.1, compute_s=0.5, energy=None,
                    timing=BatchTiming(input_ns=1, infer_ns=1, output_ns=1) if done else None,
                    wasted=2, waste=dict.fromkeys(WasteKind, 1),
                )
            )  # fmt: skip


async def test_names_of_clients_make_no_series() -> None:
    observer = PrometheusObserver(NODES)
    async with LittleFarm("a", models=[artifact()], observer=observer) as farm:
        await farm.start_nodes()
        await farm.infer()
        before = series(observer)
        for number in range(NAMES):
            with pytest.raises(ModelNotFoundError):
                await farm.infer(model=f"no-such-model-{number}")
            with pytest.raises(ModelNotFoundError):
                await farm.infer(version=str(number + 2))
        await farm.infer()
        assert series(observer) == before


def test_versions_that_come_and_go_leave_no_series() -> None:
    observer = PrometheusObserver(NODES)
    work(observer, ModelKey("stays", 1))
    before = series(observer)
    most = 0
    for number in range(NAMES):
        key = ModelKey(f"m{number % 100}", number)
        work(observer, key)
        if number == 0:
            most = series(observer)
        observer.version_retired(key)
    assert series(observer) == before
    assert before < most < 2 * before
