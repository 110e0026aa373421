"""What a farm's services read on their hosts, as text: made from the inventory."""

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

from farm.core.addresses import joined
from farm.core.ports import CLUSTER_BASES, ClusterPorts
from farm.inventory import Host, Inventory, Tls
from playbooks import layout

# What the system and Ray need beside inference, of a host's memory.
_SYSTEM_MB = 200
_ROUNDED_MB = 64

# What a gateway reads where the operator has no baselines.
NO_BASELINES: Final = b"# The inventory names no farm.power.baselines.\n"


def node_settings(host: Host, *, head: str, address: str, cluster: str) -> bytes:
    """Return `node.yaml`; addresses are IP addresses, `cluster` is its letter."""
    ports = ClusterPorts(CLUSTER_BASES[cluster])
    settings = _machine(host, address, cluster) | {"head": joined(head, ports.gcs)}
    return _yaml(settings) + _told(host)


def head_settings(host: Host, *, address: str, cluster: str) -> bytes:
    """Return `head-<letter>.yaml`."""
    more = {"gcs_dir": layout.GCS, "serves": host.role.serves}
    return _yaml(_machine(host, address, cluster) | more) + _told(host)


def gateway_settings(
    inventory: Inventory, *, address: str, cluster: str, cores: Mapping[str, int]
) -> bytes:
    """Return `gateway-<letter>.yaml`, for the nodes of which `cores` tells."""
    gateway = inventory.farm.gateway
    farm: dict[str, Any] = {
        "name": inventory.farm.name,
        "grpc": gateway.grpc,
        "metrics": gateway.metrics,
        "tokens": layout.TOKENS,
        "models": layout.MODELS,
        "state_dir": f"{layout.GATEWAY}/state",
        "curves_dir": f"{layout.GATEWAY}/curves",
        "handover": True,
        "power": {
            **inventory.farm.power.model_dump(mode="json", by_alias=True, exclude_unset=True),
            "baselines": layout.BASELINES,
        },
        "ledger": {"dir": f"{layout.GATEWAY}/ledger"},
    }
    if gateway.metrics_triton:
        farm["metrics_triton"] = True
    if gateway.tracing is not None:
        farm["tracing"] = gateway.tracing.model_dump(mode="json")
    if gateway.tls is not Tls.OFF:
        farm["tls"] = {
            **_tls(),
            "clients": "required" if gateway.tls is Tls.MUTUAL else "none",
        }
    if gateway.tls is not Tls.MUTUAL:
        farm["operators"] = {"grpc": gateway.operators, **_tls()}
    farm["revocations"] = layout.REVOCATIONS
    return _yaml(
        {
            "farm": farm,
            "cluster": _member(address, cluster),
            "nodes": {
                host.name: _serving(host, cores[host.name], cluster)
                for host in inventory.nodes
                if host.name in cores
            },
            "others": {
                host.name: _hardware(host) for host in inventory.hosts if not host.role.serves
            },
        }
    )


def memory_max_mb(host: Host, total_mb: int | None) -> int | None:
    """Return what a service of a host may take: all but what its system needs."""
    if host.memory_max_mb is not None or total_mb is None:
        return host.memory_max_mb
    # Rounded, as kernels differ by some megabytes in what they say, and a changed unit restarts.
    return max(total_mb - _SYSTEM_MB, total_mb // 2) // _ROUNDED_MB * _ROUNDED_MB


def _serving(host: Host, cores: int, cluster: str) -> dict[str, Any]:
    threads = host.threads_per_slot or 1
    return {
        # A head that serves is in both clusters for as long as one replaces the other.
        "cache_dir": f"{layout.NODE}-{cluster}" if host.role.leads else layout.NODE,
        "slots": host.slots or max(cores // threads, 1),
        "threads_per_slot": threads,
        **_hardware(host),
    }


def _hardware(host: Host) -> dict[str, Any]:
    return host.hardware.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _told(host: Host) -> bytes:
    """Return what the gateway tells a node's actor, as a comment in what its service reads.

    An actor lives as long as its node's service, whatever another gateway would tell it. With
    this such a service runs with other settings than it would now, and is started anew.
    """
    if not host.role.serves:
        return b""
    own = {"slots": host.slots, "threads_per_slot": host.threads_per_slot}
    told = {key: value for key, value in own.items() if value is not None}
    hardware = _hardware(host)
    told |= {key: hardware[key] for key in ("board", "meter") if key in hardware}
    return f"# Its gateway has it serve with {json.dumps(told)}\n".encode() if told else b""


def _machine(host: Host, address: str, cluster: str) -> dict[str, Any]:
    own = {"name": host.name, "ray_dir": layout.RAY, "state_dir": layout.HOME}
    return own | _member(address, cluster)


def _member(address: str, cluster: str) -> dict[str, Any]:
    return {
        "address": address,
        "port_base": CLUSTER_BASES[cluster],
        "tls": _tls(),
        "token": layout.RAY_TOKEN,
    }


def _tls() -> dict[str, str]:
    return {"ca": layout.CA, "certificate": layout.CERTIFICATE, "key": layout.KEY}


def _yaml(settings: Mapping[str, Any]) -> bytes:
    text = yaml.safe_dump(dict(settings), sort_keys=False)
    return f"# Written by `farm bootstrap`, which replaces what is changed here.\n{text}".encode()
