"""The life of an embedded farm: a gateway over nodes of this machine, until a signal ends it."""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import structlog
from platformdirs import user_cache_path, user_state_path

from farm import zoo
from farm.app import Gateway, Recording, recording
from farm.cluster.local import LocalCluster
from farm.config import ControlMode, Cores, FarmConfig, Splits
from farm.core.errors import InternalError
from farm.frontend.server import check_free
from farm.logs import LogSwitches
from farm.node.affinity import share_out, usable_cores
from farm.node.settings import NodeSettings
from farm.repository.durable import held
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository, RepositoryLimits

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
        repository = _repository(config, state_dir, cluster.folder)
        polled = config.repository.control is ControlMode.POLL
        listings = repository.scan(with_wishes=not polled)
        # Until the loop has its own handlers, a signal must unwind what was begun. Ray puts
        # a handler in its place meanwhile that raises SystemExit too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        cluster.start()
        asyncio.run(_serve(config, cluster, repository, listings, log, on_ready, recorder))
    except (KeyboardInterrupt, SystemExit):
        _log.info("stopped_while_starting")
    finally:
        cluster.stop()
        holding.close()


async def _serve(
    config: FarmConfig,
    cluster: LocalCluster,
    repository: Repository,
    listings: Sequence[ModelListing],
    log: LogSwitches,
    on_ready: Callable[[Gateway], None],
    recorder: Recording,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    _report(listings)
    # Imported after the cluster has set Ray's environment, which Ray reads when imported.
    from farm.cluster.pool import RayWorkerPool

    pool = RayWorkerPool(_node_settings(config, cluster))
    gateway = Gateway(
        config,
        pool=pool,
        repository=repository,
        listings=listings,
        curves_dir=config.curves_dir or user_cache_path("bramble-farm") / "curves",
        log=log,
        recorder=recorder,
    )
    starting = asyncio.create_task(gateway.start(), name="start")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    broken = asyncio.create_task(gateway.engine.broken.wait(), name="broken")
    bereft = asyncio.create_task(_watch(cluster), name="watch Ray")
    try:
        pool.start()
        ends = {stopping, broken, bereft}
        await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            on_ready(gateway)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await gateway.drain()
        if broken.done():
            raise InternalError("the gateway failed; its log has the details. Start it again")
        if bereft.done():
            raise InternalError(f"{bereft.result()}, and the farm with it. Start it again")
    finally:
        tasks = (starting, stopping, broken, bereft)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.close()
        await pool.close()


def _report(listings: Sequence[ModelListing]) -> None:
    """Log what is odd or refused in the repository."""
    for listing in listings:
        for warning in listing.warnings:
            _log.warning("repository", warning=warning)
        if listing.refusal:
            _log.warning("model_refused", model=listing.name, reason=listing.refusal)
        for refused in listing.refused:
            _log.warning("model_refused", model=str(refused.key), reason=refused.reason)


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
        )
        for node_id, own in zip(cluster.node_ids, shares, strict=True)
    ]


def _state_dir(config: FarmConfig) -> Path | None:
    """Return where wishes are kept: one folder a repository, none for the shipped models."""
    if config.state_dir is not None or config.models is None:
        return config.state_dir
    place = sha256(str(config.models.resolve()).encode()).hexdigest()[:16]
    return user_state_path("bramble-farm") / place


def _repository(config: FarmConfig, state_dir: Path | None, scratch: Path) -> Repository:
    settings = config.repository
    return Repository(
        config.models or _own_zoo(scratch),
        limits=RepositoryLimits(
            max_models=settings.max_models,
            max_model_bytes=settings.max_model_bytes,
            max_operators=settings.max_operators,
        ),
        state_dir=state_dir,
        scratch_dir=scratch,
    )


def _own_zoo(folder: Path) -> Path:
    """Return a copy of the shipped models: installers may hard-link the shipped ones."""
    return Path(shutil.copytree(zoo.models_dir(), folder / "zoo"))
