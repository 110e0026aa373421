"""Calls that change the farm: each is told once it has ended, done or not, and whose it was."""

import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Final, NamedTuple

import structlog

from farm.core.acts import Act
from farm.core.errors import ErrorCode, FarmError
from farm.core.text import printable
from farm.frontend.callers import calling
from farm.frontend.grpc_types import Context
from farm.frontend.rarely import Rarely
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE

_log = structlog.get_logger()

# Characters of what comes from outside.
_MAX_ACTION: Final = 200
_MAX_SUBJECT: Final = 200
_MAX_REASON: Final = 400
# Who calls may leave, or be let in no more, in the middle of it.
_CUT_OFF: Final = "its call was cut off; what it had begun may be done all the same"
# Who knocks without end must not crowd out what else happened.
_REFUSALS_APART_S: Final = 10.0


class _Deed(NamedTuple):
    """What a call is to do, and to what; "" is the farm as a whole."""

    action: str
    subject: str = ""


def _load(request: Any) -> _Deed:
    # A config or files of the request's own may make another model of it.
    replaced = ", ".join(sorted(request.parameters))
    return _Deed(f"load with its own {replaced}" if replaced else "load", request.model_name)


def _log_settings(request: Any) -> _Deed | None:
    changed = sorted(
        f"{name}={getattr(value, choice)}"
        for name, value in request.settings.items()
        if (choice := value.WhichOneof("parameter_choice"))
    )
    return _Deed(f"change {', '.join(changed)}") if changed else None


# By method, what a request asks for; None for one that changes nothing.
_ACTS: Final[Mapping[str, Callable[[Any], _Deed | None]]] = {
    f"/{ADMIN_SERVICE}/NodeAction": lambda asked: _Deed(asked.action, asked.node_id),
    f"/{ADMIN_SERVICE}/MeasureModel": lambda asked: _Deed("measure", asked.name),
    f"/{ADMIN_SERVICE}/Calibrate": lambda asked: _Deed("calibrate", asked.host),
    f"/{ADMIN_SERVICE}/Revoke": lambda _: _Deed("revoke certificates"),
    f"/{INFERENCE_SERVICE}/RepositoryModelLoad": _load,
    f"/{INFERENCE_SERVICE}/RepositoryModelUnload": lambda asked: _Deed("unload", asked.model_name),
    f"/{INFERENCE_SERVICE}/LogSettings": _log_settings,
}


def is_act(method: str) -> bool:
    """Whether a method may change the farm."""
    return method in _ACTS


class Acts:
    """Tells of every call that was to change the farm called `farm`, whatever came of it."""

    def __init__(
        self,
        *,
        farm: str,
        tell: Callable[[Act], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._farm = farm
        self._tell = tell
        self._clock = clock
        self._refusals = Rarely(apart_s=_REFUSALS_APART_S)

    def watched(self, method: str, behaviour: Any) -> Any:
        """Return what serves a method and tells how that ended, if the method is an act."""
        read = _ACTS.get(method)
        if read is None:
            return behaviour

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            with self._ending(read(request), calling().name):
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response

        async def unary(request: Any, context: Context) -> Any:
            with self._ending(read(request), calling().name):
                return await behaviour(request, context)

        return stream if inspect.isasyncgenfunction(behaviour) else unary

    def refused(self, method: str, actor: str, error: FarmError, *, source: str) -> None:
        """Tell of a call that was turned away before it was looked into, if it was for an act.

        Of each `source` it is told every ten seconds at most.
        """
        if method not in _ACTS:
            return
        untold = self._refusals.due(source, self._clock())
        if untold is None:
            return
        reason = error.message
        if untold:
            reason += f" ({untold} more were refused since the last that was told)"
        self._told(_Deed(method.rpartition("/")[2]), actor, error.code, reason)

    @contextmanager
    def _ending(self, deed: _Deed | None, actor: str) -> Iterator[None]:
        if deed is None:
            yield
            return
        try:
            yield
        except FarmError as error:
            self._told(deed, actor, error.code, error.message)
            raise
        except Exception:
            self._told(deed, actor, ErrorCode.INTERNAL, "the gateway's log says why")
            raise
        except BaseException:
            self._told(deed, actor, ErrorCode.CANCELLED, _CUT_OFF)
            raise
        self._told(deed, actor)

    def _told(
        self, deed: _Deed, actor: str, code: ErrorCode | None = None, reason: str = ""
    ) -> None:
        act = Act(
            action=printable(deed.action, _MAX_ACTION),
            subject=printable(deed.subject, _MAX_SUBJECT) or self._farm,
            actor=actor,
            code=code,
            reason=printable(reason, _MAX_REASON),
        )
        facts = {"action": act.action, "subject": act.subject, "actor": act.actor}
        if code is None:
            _log.info("operator_acted", **facts)
        else:
            _log.warning("operator_acted", **facts, code=str(code), reason=act.reason)
        self._tell(act)
