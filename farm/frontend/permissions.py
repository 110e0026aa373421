"""Which role each method asks of its caller: one table of all that a gateway serves."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION_SERVICE

from farm.core.errors import PermissionDeniedError
from farm.core.roles import Role
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE

# Whoever reaches the address may ask: load balancers have no role, and learn one bit.
_ANYBODY: Final = None

_HEALTH: Final[Mapping[str, Role | None]] = {"Check": _ANYBODY, "Watch": _ANYBODY}

_REFLECTION: Final[Mapping[str, Role | None]] = {"ServerReflectionInfo": Role.INFER}

_INFERENCE: Final[Mapping[str, Role | None]] = {
    "ServerLive": _ANYBODY,
    "ServerReady": _ANYBODY,
    "ServerMetadata": Role.INFER,
    "ModelReady": Role.INFER,
    "ModelMetadata": Role.INFER,
    "ModelConfig": Role.INFER,
    "ModelStatistics": Role.INFER,
    "ModelInfer": Role.INFER,
    "ModelStreamInfer": Role.INFER,
    "RepositoryIndex": Role.INFER,
    "RepositoryModelLoad": Role.OPERATE,
    "RepositoryModelUnload": Role.OPERATE,
    "LogSettings": Role.OPERATE,
    # Of the protocol and answered UNIMPLEMENTED, which every client may know.
    "TraceSetting": Role.INFER,
    "SystemSharedMemoryStatus": Role.INFER,
    "SystemSharedMemoryRegister": Role.INFER,
    "SystemSharedMemoryUnregister": Role.INFER,
    "CudaSharedMemoryStatus": Role.INFER,
    "CudaSharedMemoryRegister": Role.INFER,
    "CudaSharedMemoryUnregister": Role.INFER,
}

_ADMIN: Final[Mapping[str, Role | None]] = {
    "Version": Role.OPERATE,
    "WatchSnapshots": Role.OPERATE,
    "WatchEvents": Role.OPERATE,
    "History": Role.OPERATE,
    "TailLog": Role.OPERATE,
    "DescribeNode": Role.OPERATE,
    "DescribeModel": Role.OPERATE,
    "Ledger": Role.OPERATE,
    "LedgerRecords": Role.OPERATE,
    "Terms": Role.OPERATE,
    "NodeAction": Role.OPERATE,
    "MeasureModel": Role.OPERATE,
    "Calibrate": Role.OPERATE,
    "Revoke": Role.ADMIN,
}

NEEDED: Final[Mapping[str, Role | None]] = {
    f"/{service}/{name}": role
    for service, methods in (
        (HEALTH_SERVICE, _HEALTH),
        (REFLECTION_SERVICE, _REFLECTION),
        (INFERENCE_SERVICE, _INFERENCE),
        (ADMIN_SERVICE, _ADMIN),
    )
    for name, role in methods.items()
}


def _of_load(request: Any) -> Role:
    # A config or files of the caller's own are bytes that nobody here has looked at.
    return Role.ADMIN if request.parameters else Role.OPERATE


def _of_log_settings(request: Any) -> Role:
    # What is logged is the record of what others do.
    changes = any(value.WhichOneof("parameter_choice") for value in request.settings.values())
    return Role.ADMIN if changes else Role.OPERATE


# Methods of which some requests need a higher role than the table says.
_BY_REQUEST: Final[Mapping[str, Callable[[Any], Role]]] = {
    f"/{INFERENCE_SERVICE}/RepositoryModelLoad": _of_load,
    f"/{INFERENCE_SERVICE}/LogSettings": _of_log_settings,
}


def role_for(method: str) -> Role | None:
    """Return the role that any call of a method needs, None where nobody needs one.

    Raises:
        PermissionDeniedError: the table does not name the method, so nobody may call it.
    """
    try:
        return NEEDED[method]
    except KeyError:
        raise PermissionDeniedError(
            f"no role may call {method}: this gateway serves it and does not say to whom, which"
            " is a defect of the farm"
        ) from None


def role_for_request(method: str, request: Any) -> Role | None:
    """Return the role that one request to a method needs: its method's, or a higher one."""
    by_request = _BY_REQUEST.get(method)
    return role_for(method) if by_request is None else by_request(request)
