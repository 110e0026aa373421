"""Questions to a farm that a screen asks again and again while it is looked at."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from farm.core.errors import FarmError, UnsupportedError
from tui.screens.farm_screen import FarmScreen
from tui.sources.source import Operator

# After a refusal; a gateway that is of another version may be replaced meanwhile.
_AFTER_ERROR_S: Final = 5.0

Answer = TypeVar("Answer")


async def inquire(
    screen: FarmScreen,
    ask: Callable[[Operator], Answer],
    take: Callable[[Answer], None],
    fail: Callable[[str], None],
    *,
    every_s: float,
) -> None:
    """Ask on a thread, at once and every so many seconds, while the screen is on top.

    `take` gets the answers, `fail` in words why there is none. Without an operator nothing is
    asked. Ends when it is cancelled, as a worker of its screen is when that is left.
    """
    while (operator := screen.top.operator) is not None:
        wait_s = every_s
        if screen.is_current:
            try:
                take(await asyncio.to_thread(ask, operator))
            except UnsupportedError:
                wait_s = _AFTER_ERROR_S
                fail("this gateway is of another version and does not tell this")
            except FarmError as error:
                wait_s = _AFTER_ERROR_S
                fail(error.message)
            except Exception as error:
                # A gateway of another version may say what this one does not foresee.
                wait_s = _AFTER_ERROR_S
                fail(f"what the gateway says cannot be understood: {error!r}")
        await asyncio.sleep(wait_s)
    fail(f"{screen.top.source.title} does not hold this")
