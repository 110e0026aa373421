"""Two gateways over the actors of one small cluster, in a process of their own.

As a program it takes a folder and a model repository, prints what `farm up` does with the
addresses of both gateways, and drains on SIGTERM.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from farm_process import FarmProcess

from farm.app import Gateway
from farm.cluster.local import LocalCluster
from farm.config import FarmConfig
from farm.energy.economics import Economics
from farm.logs import configure_logging
from farm.node.settings import NodeSettings
from farm.repository.repository import Repository

NODES = ("local-1", "local-2")
GATEWAYS = ("one", "two")


class TwoGateways(FarmProcess):
    """`grpc` and `metrics` are those of both, with a comma between them."""

    def __init__(self, folder: Path, models: Path) -> None:
        super().__init__(folder)
        self._folder, self._models = folder, models

    def launch(self, **environment: str) -> None:
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(self._folder), str(self._models)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **environment},
            )


def main() -> None:
    folder, models = map(Path, sys.argv[1:])
    cluster = LocalCluster(NODES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        cluster.start()
        asyncio.run(serve(cluster, folder, models))
    finally:
        cluster.stop()


async def serve(cluster: LocalCluster, folder: Path, models: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        # One after the other: the second finds the actors of the first.
        gateways = [
            await stack.enter_async_context(gateway(cluster, folder / name, models))
            for name in GATEWAYS
        ]
        grpc = ",".join(gateway.grpc_address for gateway in gateways)
        metrics = ",".join(gateway.metrics_address for gateway in gateways)
        sys.stdout.write(f"ready grpc={grpc} metrics={metrics} nodes={len(NODES)}\n")
        sys.stdout.flush()
        await stop.wait()


@asynccontextmanager
async def gateway(cluster: LocalCluster, folder: Path, models: Path) -> AsyncIterator[Gateway]:
    """A gateway and its pool, drained and closed in the end."""
    # Imported after the cluster has set Ray's environment, which Ray reads when imported.
    from farm.cluster.pool import RayWorkerPool

    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    repository = Repository(models, state_dir=folder / "state", scratch_dir=scratch)
    pool = RayWorkerPool(
        [
            NodeSettings(node_id=node_id, cache_dir=cluster.folder / "nodes" / node_id)
            for node_id in cluster.node_ids
        ]
    )
    made = Gateway(
        FarmConfig(name=folder.name, grpc="127.0.0.1:0", metrics="127.0.0.1:0"),
        pool=pool,
        repository=repository,
        listings=repository.scan(),
        curves_dir=folder / "curves",
        economics=Economics(),
        ledger_dir=folder / "ledger",
        calibrations_dir=folder / "calibrations",
        log=configure_logging(),
    )
    try:
        pool.start()
        await made.start()
        yield made
        await made.drain()
    finally:
        await made.close()
        await pool.close()


if __name__ == "__main__":
    main()
