"""Keeping what is chosen, soon after it is: a terminal may be gone at any moment."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from farm.core.errors import ConfigurationError
from tui.choices import Choices

_LOOK_S: Final = 1.0


async def keep_choices(
    choices: Callable[[], Choices], keep: Callable[[Choices], None], tell: Callable[[str], None]
) -> None:
    """Keep what `choices` returns whenever it is new, until this is cancelled, and then too.

    `tell` is given words where it cannot be kept.
    """
    kept = choices()
    try:
        while True:
            await asyncio.sleep(_LOOK_S)
            if choices() != kept:
                kept = choices()
                try:
                    await asyncio.to_thread(keep, kept)
                except ConfigurationError as error:
                    tell(f"what you choose is not kept: {error.message}")
    finally:
        if choices() != kept:
            with suppress(ConfigurationError):
                keep(choices())
