"""The life of a gateway: over the nodes it is given, until a signal or a fault ends it."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from farm.app import Gateway, Recording
from farm.config import ControlMode, FarmConfig
from farm.core.errors import InternalError
from farm.energy.economics import Economics
from farm.logs import LogSwitches
from farm.node.settings import NodeSettings
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository, RepositoryLimits

_log = structlog.get_logger()


async def serve(
    config: FarmConfig,
    *,
    nodes: Sequence[NodeSettings],
    repository: Repository,
    listings: Sequence[ModelListing],
    curves_dir: Path,
    economics: Economics,
    ledger_dir: Path,
    calibrations_dir: Path,
    log: LogSwitches,
    beside: Callable[[Gateway], Coroutine[Any, Any, str]],
    on_ready: Callable[[Gateway], None],
    recorder: Recording = None,
) -> None:
    """Run a gateway until SIGINT or SIGTERM, then drain; on SIGUSR1 it retires.

    Ray is connected already. `beside` runs for as long as the gateway does, and returns why it
    cannot go on if that comes to pass.

    Raises:
        FarmError: it could not start, or failed later; the message says what to do.
    """
    stop, retire = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, retire.set)
    if repository.restored:
        _log.error("wishes_restored", reason=repository.restored)
    _report(listings)
    # Imported after Ray's environment was set, which Ray reads when imported.
    from farm.cluster.pool import RayWorkerPool

    pool = RayWorkerPool(nodes)
    gateway = Gateway(
        config,
        pool=pool,
        repository=repository,
        listings=listings,
        curves_dir=curves_dir,
        economics=economics,
        ledger_dir=ledger_dir,
        calibrations_dir=calibrations_dir,
        log=log,
        recorder=recorder,
    )
    starting = asyncio.create_task(gateway.start(), name="start")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    retiring = asyncio.create_task(retire.wait(), name="retire")
    broken = asyncio.create_task(gateway.engine.broken.wait(), name="broken")
    bereft = asyncio.create_task(beside(gateway), name="beside")
    tasks: set[asyncio.Task[Any]] = {starting, stopping, retiring, broken, bereft}
    try:
        pool.start()
        ends = tasks - {starting}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            # What is there now stays: looking through it for garbage again and again would hold
            # up requests by a tenth of a second each time.
            gc.collect()
            gc.freeze()
            on_ready(gateway)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await _end(gateway, stopping, retiring)
        if broken.done():
            raise InternalError("the gateway failed; its log has the details. Start it again")
        if bereft.done():
            raise InternalError(f"{bereft.result()}, and the farm with it. Start it again")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.close()
        await pool.close()


async def _end(
    gateway: Gateway, stopping: "asyncio.Task[Any]", retiring: "asyncio.Task[Any]"
) -> None:
    """Let a gateway end in good order; who stops it while it retires wants it sooner."""
    if retiring.done() and not stopping.done():
        leaving = asyncio.create_task(gateway.retire(), name="leave")
        await asyncio.wait({leaving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            leaving.result()
            return
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await gateway.drain()


def open_repository(
    config: FarmConfig, models: Path, *, state_dir: Path | None, scratch_dir: Path
) -> tuple[Repository, Sequence[ModelListing]]:
    """Return the repository that a gateway of this configuration serves from, and its models.

    Raises:
        ConfigurationError: its folder, or what is kept in `state_dir`, cannot be read.
    """
    settings = config.repository
    repository = Repository(
        models,
        limits=RepositoryLimits(
            max_models=settings.max_models,
            max_model_bytes=settings.max_model_bytes,
            max_operators=settings.max_operators,
        ),
        state_dir=state_dir,
        scratch_dir=scratch_dir,
    )
    polled = settings.control is ControlMode.POLL
    return repository, repository.scan(with_wishes=not polled)


def _report(listings: Sequence[ModelListing]) -> None:
    """Log what is odd or refused in the repository."""
    for listing in listings:
        for warning in listing.warnings:
            _log.warning("repository", warning=warning)
        if listing.refusal:
            _log.warning("model_refused", model=listing.name, reason=listing.refusal)
        for refused in listing.refused:
            _log.warning("model_refused", model=str(refused.key), reason=refused.reason)
