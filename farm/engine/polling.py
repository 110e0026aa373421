"""Follows the model repository by itself: what changes there is loaded or unloaded."""

import asyncio
from dataclasses import dataclass

import structlog

from farm.core.clock import Clock
from farm.core.errors import FarmError, ModelNotFoundError
from farm.engine.control import ModelControl
from farm.repository.repository import Repository

_log = structlog.get_logger()

# A model that failed is tried again, for it may not have been its own fault; each time
# after a longer pause, for it probably was.
_LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a model's last change could not be followed, and when it is tried again."""

    reason: str
    pause_s: float
    again_at: float


class Polling:
    """Looks at the repository every `interval_s` seconds."""

    def __init__(
        self, *, control: ModelControl, repository: Repository, clock: Clock, interval_s: float
    ) -> None:
        self._control = control
        self._repository = repository
        self._clock = clock
        self._interval_s = interval_s
        self._failures: dict[str, _Failure] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                changed = await asyncio.to_thread(self._repository.changed)
            except FarmError as error:
                _log.warning("poll_failed", reason=error.message)
                continue
            now = self._clock.monotonic()
            due = {name for name, failure in self._failures.items() if failure.again_at <= now}
            for name in sorted(changed | due):
                await self._follow(name)

    async def _follow(self, name: str) -> None:
        try:
            await self._control.follow(name)
        except ModelNotFoundError:
            self._failures.pop(name, None)
        except Exception as error:
            self._note(name, error)
        else:
            self._failures.pop(name, None)

    def _note(self, name: str, error: Exception) -> None:
        reason = error.message if isinstance(error, FarmError) else type(error).__name__
        before = self._failures.get(name)
        if before is None or before.reason != reason:
            known = isinstance(error, FarmError)
            _log.warning(
                "reload_failed", model=name, reason=reason, exc_info=None if known else error
            )
            before = None
        pause_s = min(before.pause_s * 2, _LONGEST_PAUSE_S) if before else self._interval_s
        self._failures[name] = _Failure(reason, pause_s, self._clock.monotonic() + pause_s)
