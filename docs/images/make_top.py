"""Makes top.svg, node.svg and cost.svg: `farm top` beside a real farm under load."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from farm.client import AdminClient, AsyncFarmClient
from tui.app import FarmTop
from tui.options import TopOptions
from tui.sources.connection import Connection
from tui.sources.gateway import GatewaySource
from tui.sources.gateway_operator import GatewayOperator

SIZE: Final = (124, 30)
NODES: Final = 6
CALLERS: Final = 12
# Two windows of the accounts are closed by then, and the sparklines are some cells long.
WARM_S: Final = 20.0
# Fonts are fetched from elsewhere, which a picture in a repository must not do.
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


async def load(address: str) -> None:
    """Send digits, more and less of them, until cancelled."""
    image = np.zeros((1, 1, 8, 8), dtype=np.float32)

    async def call(number: int) -> None:
        while True:
            await client.infer("digits", {"image": image})
            await asyncio.sleep(0.004 * (1 + number % 3))

    async with AsyncFarmClient(address) as client, asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(call(number))


async def take(address: str) -> None:
    """Look at each screen and keep what it shows."""
    connection = Connection(address, lambda: AdminClient(address))
    app = FarmTop(
        GatewaySource(connection),
        operator=GatewayOperator(connection),
        options=TopOptions(),
    )
    async with app.run_test(size=SIZE) as pilot:

        def keep(name: str) -> None:
            svg = _FONTS.sub("", app.export_screenshot(title="farm top"))
            Path(__file__).with_name(f"{name}.svg").write_text(svg)

        await pilot.pause(WARM_S)
        keep("top")
        await pilot.press("enter")
        await pilot.pause(15)
        keep("node")
        await pilot.press("escape", "3")
        await pilot.pause(5)
        keep("cost")


async def main(address: str) -> None:
    traffic = asyncio.create_task(load(address))
    try:
        await take(address)
    finally:
        traffic.cancel()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as state:
        up = subprocess.Popen(
            [
                sys.executable, "-m", "farm", "up", "--nodes", str(NODES),
                "--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                "FARM_STATE_DIR": state,
                "FARM_POWER__CURRENCY": "EUR",
                "FARM_POWER__PRICE_PER_KWH": "0.32",
            },
        )  # fmt: skip
        try:
            line = up.stdout.readline() if up.stdout else ""
            ready = dict(word.split("=") for word in line.split()[1:])
            asyncio.run(main(ready["grpc"]))
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()
