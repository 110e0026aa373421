"""What a shell offers for words that are names: of farms, hosts, nodes, models, baselines.

A shell waits for it, so that whatever takes long or fails is nothing to offer.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from farm.client import AdminClient

# For a gateway's answer: one that is not there must not hang a shell.
_ANSWER_S: Final = 0.3


def farms(incomplete: str) -> list[str]:
    """Offer the farms that this machine knows."""
    from farm.contexts import FarmHome

    return _beginning(incomplete, lambda: FarmHome.of(os.environ).farms())


def hosts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the hosts of the inventory that the command line, or FARM_INVENTORY, names."""
    return _beginning(incomplete, lambda: _hosts(ctx))


def nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the nodes of the farm that the command line means."""
    return _beginning(
        incomplete,
        lambda: _asked(
            ctx, lambda admin: [n.node_id for n in admin.snapshot(timeout_s=_ANSWER_S).nodes]
        ),
    )


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the models in that farm's repository, served or not."""
    return _beginning(
        incomplete,
        lambda: _asked(
            ctx, lambda admin: [found.name for found in admin.index(timeout_s=_ANSWER_S)]
        ),
    )


def baselines(incomplete: str) -> list[str]:
    """Offer the package's baselines."""
    from farm.energy.catalogue import shipped_catalogue

    return _beginning(incomplete, lambda: shipped_catalogue().baselines)


def _beginning(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """Return the names that begin so, each once, in order; none if they cannot be had."""
    # Whatever it is, the command itself will say it.
    with suppress(Exception):
        return sorted({name for name in names() if name.startswith(incomplete)})
    return []


def _hosts(ctx: typer.Context) -> Sequence[str]:
    from farm.inventory import load_inventory

    file = ctx.params.get("inventory") or os.environ.get("FARM_INVENTORY")
    return [host.name for host in load_inventory(Path(file)).hosts] if file else []


def _asked(ctx: typer.Context, ask: "Callable[[AdminClient], Iterable[Any]]") -> Iterable[str]:
    from farm.cli.connecting import admin_client

    with admin_client(ctx.params.get("connect"), ctx.params.get("context")) as admin:
        return ask(admin)
