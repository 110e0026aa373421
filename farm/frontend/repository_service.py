"""`inference.GRPCInferenceService`, the part for operators: what is loaded, and the log."""

from collections.abc import Mapping
from typing import Protocol

from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.engine.control import ModelControl
from farm.engine.snapshots import Snapshots
from farm.frontend.grpc_types import Context
from farm.frontend.status import MODEL_STATE
from farm.pb.open_inference_pb2 import (
    LogSettingsRequest,
    LogSettingsResponse,
    ModelRepositoryParameter,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
)

_FILE = "file:"


class LogControl(Protocol):
    """The gateway's log, as the logging extension sees it."""

    def settings(self) -> Mapping[str, bool | int | str]:
        """Return every setting by its name in the protocol."""
        ...

    def change(self, settings: Mapping[str, bool | int | str]) -> None:
        """Change some settings.

        Raises:
            ValueError: a setting is unknown, has the wrong type, or cannot be changed.
        """
        ...


class RepositoryService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(self, *, control: ModelControl, snapshots: Snapshots, log: LogControl) -> None:
        self._control = control
        self._snapshots = snapshots
        self._log = log

    async def RepositoryIndex(  # noqa: N802
        self, request: RepositoryIndexRequest, _context: Context
    ) -> RepositoryIndexResponse:
        _only_repository(request.repository_name)
        response = RepositoryIndexResponse()
        for model in self._snapshots.take().models:
            state = MODEL_STATE[model.state]
            if request.ready and state != "READY":
                continue
            response.models.add(
                name=model.key.name,
                version=str(model.key.version) if model.key.version else "",
                state=state,
                reason=model.reason,
            )
        return response

    async def RepositoryModelLoad(  # noqa: N802
        self, request: RepositoryModelLoadRequest, _context: Context
    ) -> RepositoryModelLoadResponse:
        _only_repository(request.repository_name)
        config, files = _override(request.parameters)
        await self._control.load(request.model_name, config=config, files=files)
        return RepositoryModelLoadResponse()

    async def RepositoryModelUnload(  # noqa: N802
        self, request: RepositoryModelUnloadRequest, _context: Context
    ) -> RepositoryModelUnloadResponse:
        _only_repository(request.repository_name)
        for name in request.parameters:
            # No model of a farm depends on another, so there is nothing to unload with it.
            if name != "unload_dependents":
                raise InvalidRequestError(
                    f"an unload has no parameter '{name[:64]}'; it knows unload_dependents"
                )
        await self._control.unload(request.model_name)
        return RepositoryModelUnloadResponse()

    async def LogSettings(  # noqa: N802
        self, request: LogSettingsRequest, _context: Context
    ) -> LogSettingsResponse:
        wanted: dict[str, bool | int | str] = {}
        for name, setting in request.settings.items():
            choice = setting.WhichOneof("parameter_choice")
            # Without a value a setting is only asked for.
            if choice is not None:
                wanted[name] = getattr(setting, choice)
        try:
            self._log.change(wanted)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from error
        response = LogSettingsResponse()
        for name, value in self._log.settings().items():
            if isinstance(value, bool):
                response.settings[name].bool_param = value
            elif isinstance(value, int):
                response.settings[name].uint32_param = value
            else:
                response.settings[name].string_param = value
        return response


def _only_repository(name: str) -> None:
    if name:
        raise UnsupportedError(
            "this farm has one model repository without a name; leave repository_name empty"
        )


def _override(
    parameters: Mapping[str, ModelRepositoryParameter],
) -> tuple[str | None, dict[str, bytes]]:
    """Return what a load replaces: the config, and the model's files, where they are given.

    Raises:
        InvalidRequestError: a parameter is unknown or has the wrong type.
    """
    config: str | None = None
    files: dict[str, bytes] = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if name == "config" and choice == "string_param":
            config = parameter.string_param
        elif name.startswith(_FILE) and choice == "bytes_param":
            files[name.removeprefix(_FILE)] = parameter.bytes_param
        else:
            raise InvalidRequestError(
                f"a load has no parameter '{name[:64]}' of that type; it knows 'config' (a text"
                " in JSON) and 'file:<version>/<file>' (bytes)"
            )
    return config, files
