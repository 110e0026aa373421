"""A whole gateway over one invented node, as a program: prints "ready", retires on SIGUSR1.

It takes the node's name, which receipts show, a folder, the addresses of gRPC and metrics, and
the names of nodes that never come.
"""

import asyncio
import signal
import sys
from pathlib import Path

from fake_pool import FakePool

from farm import app, services, zoo
from farm.config import FarmConfig
from farm.core.nodes import NodeVitals
from farm.energy.economics import Economics
from farm.logs import configure_logging
from farm.repository.repository import Repository

HEARTBEAT_S = 0.5


async def beat(pool: FakePool, name: str) -> None:
    while True:
        node = pool.nodes[name]
        vitals = NodeVitals(
            incarnation=node.incarnation,
            slots_busy=0,
            cpu_fraction=0.0,
            memory_total_bytes=1 << 30,
            memory_available_bytes=1 << 30,
            temperature_c=None,
            clock_hz=None,
            batches_total=0,
            rows_total=0,
            failures_total=0,
            digests=tuple(node.held),
        )
        pool.beat(name, vitals)
        await asyncio.sleep(HEARTBEAT_S)


async def run(name: str, folder: Path, grpc: str, metrics: str, *absent: str) -> None:
    retire = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, retire.set)
    repository = Repository(zoo.models_dir(), state_dir=None, scratch_dir=folder)
    pool = FakePool([name, *absent])
    gateway = app.Gateway(
        FarmConfig(grpc=grpc, metrics=metrics, handover=True),
        pool=pool,
        repository=repository,
        listings=repository.scan(),
        curves_dir=folder / "curves",
        economics=Economics(),
        ledger_dir=folder / "ledger",
        calibrations_dir=folder / "calibrations",
        log=configure_logging(),
    )
    beating = asyncio.create_task(beat(pool, name))
    try:
        pool.start(name)
        await gateway.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await retire.wait()
        await gateway.retire()
    finally:
        beating.cancel()
        await gateway.close()


if __name__ == "__main__":
    # The half minute that connections live elsewhere would be most of the test.
    services._CONNECTION_AGE_S = 1.0
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
