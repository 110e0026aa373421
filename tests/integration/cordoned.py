"""Nodes that get no new batches for a while, so that those go to others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from farm.client import AdminClient


@asynccontextmanager
async def without(admin: AdminClient, *node_ids: str) -> AsyncIterator[None]:
    """Let nodes get no new batches while the block lasts."""
    try:
        for node_id in node_ids:
            await asyncio.to_thread(admin.cordon, node_id)
        yield
    finally:
        for node_id in node_ids:
            await asyncio.to_thread(admin.uncordon, node_id)
