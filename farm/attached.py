"""The life of a gateway attached to a farm of several machines, as its service runs it."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from farm.app import Gateway
from farm.core.errors import ConfigurationError
from farm.core.nodes import NodeState
from farm.logs import LogSwitches
from farm.run_config import GatewayRunConfig
from farm.serving import open_repository, serve
from farm.systemd import ServiceNotifier

_log = structlog.get_logger()

# How often the service manager is told what there is to tell, where no watchdog asks sooner.
_STATUS_S = 2.0
# How many nodes that do not serve are named in it.
_NAMED = 3


def run_attached(config: GatewayRunConfig, *, log: LogSwitches) -> None:
    """Run a gateway until SIGINT or SIGTERM, then drain; on SIGUSR1 it retires.

    Raises:
        FarmError: it could not start, or failed later; the message says what to do.
    """
    notifier = ServiceNotifier(os.environ)
    # Until the loop has its own handlers, a signal must unwind what was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        with (
            _scratch() as scratch,
            config.cluster.attachment().attached(notifier.status),
        ):
            _serve(config, scratch, log, notifier)
    except (KeyboardInterrupt, SystemExit):
        _log.info("stopped_while_starting")


@contextmanager
def _scratch() -> Iterator[Path]:
    try:
        folder = TemporaryDirectory(prefix="farm-gateway-")
    except OSError as error:
        raise ConfigurationError(
            f"no folder for temporary files can be made ({error.strerror}); if the disk is full"
            " (`df -h`), free it: the gateway starts once there is room"
        ) from error
    with folder as path:
        yield Path(path)


def _serve(
    config: GatewayRunConfig, scratch: Path, log: LogSwitches, notifier: ServiceNotifier
) -> None:
    farm = config.farm
    # Two gateways may share the folder of wishes for as long as one hands over to the other.
    repository, listings = open_repository(
        farm, farm.models, state_dir=farm.state_dir, scratch_dir=scratch
    )
    notifier.status("waiting for nodes")
    asyncio.run(
        serve(
            farm,
            nodes=config.node_settings(),
            repository=repository,
            listings=listings,
            curves_dir=farm.curves_dir,
            economics=config.economics(),
            ledger_dir=farm.ledger.dir or farm.state_dir / "ledger",
            calibrations_dir=farm.state_dir / "calibrations",
            log=log,
            beside=lambda gateway: _notify(gateway, notifier),
            on_ready=lambda gateway: notifier.ready(_status(gateway)),
        )
    )
    notifier.stopping("drained")


async def _notify(gateway: Gateway, notifier: ServiceNotifier) -> str:
    """Feed the watchdog from the event loop: one that hangs is restarted."""
    while True:
        notifier.alive()
        notifier.status(_status(gateway))
        await asyncio.sleep(min(_STATUS_S, notifier.feeding_s or _STATUS_S))


def _status(gateway: Gateway) -> str:
    members = gateway.fleet.members.values()
    status = f"{gateway.ready_nodes} of {len(members)} nodes ready"
    others = [m for m in members if m.state is not NodeState.READY]
    named = [f"{m.node_id} {m.state}: {m.reason}".rstrip(": ") for m in others[:_NAMED]]
    more = [f"and {len(others) - _NAMED} more"] if len(others) > _NAMED else []
    return "; ".join([status, *named, *more])
