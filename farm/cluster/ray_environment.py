"""What Ray reads from its environment, in every process of a farm, when it is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from farm.core.host_tls import HostTls

SETTINGS: Final[Mapping[str, str]] = {
    # With a token nobody else on the network can run code through Ray's ports.
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers held in reserve would cost 40 MB each on every node.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    # Arguments up to 8 MiB ride inside the call instead of through the object store: a
    # 600 kB image to an actor and back took 3.3 ms instead of 6.4 ms.
    "RAY_max_direct_call_object_size": str(8 << 20),
    "RAY_task_rpc_inlined_bytes_limit": str(64 << 20),
}

# A machine that is gone is missed after four to seven seconds instead of a minute.
_HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}

# Each of Ray's ten logs; together they must fit into the memory that they lie in.
_LOGS = {"RAY_ROTATION_MAX_BYTES": str(3 << 20), "RAY_ROTATION_BACKUP_COUNT": "1"}

# As long as machines and actors go on without the head, and wait for it to come back.
_HEADLESS_S = 600
# An old Pi takes a minute to read Ray from its card.
_WORKER_S = 180


def secured(*, tls: HostTls, token: Path) -> Mapping[str, str]:
    """Return the environment of all that is Ray's on a machine of a farm of several."""
    return {
        **SETTINGS,
        **_HEALTH,
        **_LOGS,
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USE_TLS": "1",
        "RAY_TLS_CA_CERT": str(tls.ca),
        "RAY_TLS_SERVER_CERT": str(tls.certificate),
        "RAY_TLS_SERVER_KEY": str(tls.key),
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(_HEADLESS_S),
        "RAY_worker_register_timeout_seconds": str(_WORKER_S),
        # Patch levels of Python differ between images of the same year.
        "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "minor",
    }


def stored(folder: Path) -> Mapping[str, str]:
    """Return what makes the head keep its tables on disk, so that it may restart."""
    return {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(folder)}


def told_to_encrypt(environment: Mapping[str, str]) -> HostTls | None:
    """Return the certificates that Ray was given in this environment, if it was given any."""
    if environment.get("RAY_USE_TLS", "0") == "0":
        return None
    return HostTls(
        ca=Path(environment["RAY_TLS_CA_CERT"]),
        certificate=Path(environment["RAY_TLS_SERVER_CERT"]),
        key=Path(environment["RAY_TLS_SERVER_KEY"]),
    )
