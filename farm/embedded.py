"""The life of an embedded farm: a gateway over nodes of this machine, until a signal ends it."""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import structlog
from platformdirs import user_cache_path, user_state_path

from farm import zoo
from farm.app import Gateway, recording
from farm.cluster.local import LocalCluster
from farm.config import Cores, FarmConfig, Splits
from farm.frontend.server import check_free
from farm.logs import LogSwitches
from farm.node.affinity import share_out, usable_cores
from farm.node.settings import MeterSettings, NodeSettings
from farm.repository.durable import held
from farm.serving import open_repository, serve

_log = structlog.get_logger()

_CLUSTER_INTERVAL_S = 1.0


def run_embedded(
    config: FarmConfig,
    *,
    log: LogSwitches,
    on_ready: Callable[[Gateway], None],
    record: Path | None = None,
) -> None:
    """Run a farm of local nodes until SIGINT or SIGTERM, then drain.

    With `record` a trace of the run is written to that new file.

    Raises:
        FarmError: it could not start, or failed later; the message says what to do.
    """
    check_free("gRPC", config.grpc)
    check_free("metrics", config.metrics)
    cluster = LocalCluster([f"local-{number}" for number in range(1, config.nodes + 1)])
    holding = contextlib.ExitStack()
    try:
        recorder = holding.enter_context(recording(record))
        state_dir = _state_dir(config)
        if state_dir is not None:
            holding.enter_context(held(state_dir))
        repository, listings = open_repository(
            config,
            config.models or _own_zoo(cluster.folder),
            state_dir=state_dir,
            scratch_dir=cluster.folder,
        )
        # Until the loop has its own handlers, a signal must unwind what was begun. Ray puts
        # a handler in its place meanwhile that raises SystemExit too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        cluster.start()
        asyncio.run(
            serve(
                config,
                nodes=_node_settings(config, cluster),
                repository=repository,
                listings=listings,
                curves_dir=config.curves_dir or user_cache_path("bramble-farm") / "curves",
                economics=config.power.economics(
                    dict.fromkeys(cluster.node_ids, config.node.economics())
                ),
                ledger_dir=config.ledger.dir or (state_dir or cluster.folder) / "ledger",
                # Of this machine's board, whatever models it serves.
                calibrations_dir=(config.state_dir or user_state_path("bramble-farm"))
                / "calibrations",
                log=log,
                beside=lambda _: _watch(cluster),
                on_ready=on_ready,
                recorder=recorder,
            )
        )
    except (KeyboardInterrupt, SystemExit):
        _log.info("stopped_while_starting")
    finally:
        cluster.stop()
        holding.close()


async def _watch(cluster: LocalCluster) -> str:
    """Return what happened once one of Ray's own processes is gone."""
    while not (ended := cluster.ended()):  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(_CLUSTER_INTERVAL_S)
    return ended


def _node_settings(config: FarmConfig, cluster: LocalCluster) -> list[NodeSettings]:
    node = config.node
    cores = usable_cores() if node.cores is Cores.OWN else ()
    threads = node.slots * node.threads_per_slot
    shares = share_out(cores, nodes=len(cluster.node_ids), threads=threads)
    return [
        NodeSettings(
            node_id=node_id,
            cache_dir=cluster.folder / "nodes" / node_id,
            slots=node.slots,
            threads_per_slot=node.threads_per_slot,
            measure_splits=node.splits is Splits.MEASURED,
            cores=own,
            max_store_bytes=node.max_store_bytes,
            max_sessions=node.max_sessions,
            max_session_bytes=node.max_session_bytes,
            qualify_timeout_s=node.qualify_timeout_s,
            board=node.board or "",
            meter=(
                None
                if node.meter is None
                else MeterSettings(**node.meter.model_dump(mode="json", exclude_none=True))
            ),
        )
        for node_id, own in zip(cluster.node_ids, shares, strict=True)
    ]


def _state_dir(config: FarmConfig) -> Path | None:
    """Return where wishes are kept: one folder a repository, none for the shipped models."""
    if config.state_dir is not None or config.models is None:
        return config.state_dir
    place = sha256(str(config.models.resolve()).encode()).hexdigest()[:16]
    return user_state_path("bramble-farm") / place


def _own_zoo(folder: Path) -> Path:
    """Return a copy of the shipped models: installers may hard-link the shipped ones."""
    return Path(shutil.copytree(zoo.models_dir(), folder / "zoo"))
