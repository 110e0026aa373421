"""A polled repository: what changes in the folder is what is served."""

import asyncio
from typing import Any, cast

import pytest
from little_farm import (
    LittleFarm,
    artifact,
    changed,
    lies,
    reason_of,
    served,
    until,
)

from farm.core.clock import SystemClock
from farm.core.errors import (
    ConfigurationError,
)
from farm.engine.polling import Polling
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository


async def test_a_polled_repository_is_followed_and_not_changed_by_hand() -> None:
    async with LittleFarm("a", polled=True) as farm:
        await farm.start_nodes()
        refused: list[Any] = [farm.control.load("echo"), farm.control.unload("echo")]
        for operation in refused:
            with pytest.raises(ConfigurationError, match=r"repository\.control"):
                await operation
        polling = Polling(
            control=farm.control,
            repository=cast(Repository, farm.repository),
            clock=SystemClock(),
            interval_s=0.0,
        )
        following = asyncio.create_task(polling.run())
        lies(farm, artifact("fresh"))
        farm.repository.news = {"fresh"}
        await until(lambda: served(farm, "fresh"))
        del farm.repository.listings["fresh"]
        farm.repository.news = {"fresh"}
        await until(lambda: farm.catalog.model("fresh") is None)
        farm.repository.listings["echo"] = ModelListing(name="echo", refusal="config.pbtxt is bad")
        farm.repository.news = {"echo"}
        await until(lambda: "config.pbtxt is bad" in reason_of(farm, "echo"))
        assert served(farm) == {1: "digest of echo:1"}
        # The folder has not changed since, and is tried again all the same.
        lies(farm, changed(artifact()))
        await until(lambda: served(farm) == {1: "new digest of echo:1"})
        following.cancel()
        assert farm.repository.wishes == {}


async def test_what_was_unloaded_by_hand_does_not_count_in_a_polled_folder() -> None:
    async with LittleFarm("a", polled=True, unloaded=("echo",)) as farm:
        await farm.start_nodes()
        assert served(farm) == {1: "digest of echo:1"}
