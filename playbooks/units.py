"""The systemd units of a host, as text."""

from typing import Final

from playbooks import layout, services
from playbooks.services import STARTED, Service, retired

RAY_MOUNT: Final = "var-lib-farm-ray.mount"
HEAD_TEMPLATE: Final = "farm-head@.service"
GATEWAY_TEMPLATE: Final = "farm-gateway@.service"

_FIREWALL = services.firewall().unit

# Ray's own logs rotate far below it; sockets and the rest take a few MB.
_RAY_TMPFS_MB = 128

# What a farm's process may not do, whatever it is made to run.
_HARDENING = f"""\
User={layout.USER}
Group={layout.USER}
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths={layout.HOME}
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
UMask=0077
LimitNOFILE=65536
Environment=HOME={layout.HOME} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
"""

_AFTER_NETWORK = """\
Wants=network-online.target
After=network-online.target time-sync.target"""

# A mount belongs to root whoever it is for.
_OWN_MEMORY = f"ExecStartPre=+/bin/chown --no-dereference {layout.USER}: {layout.RAY}"

# The kernel shows them to root alone, as they tell much of what a processor works on
# (CVE-2020-8694). Without them the meter says what is wrong, and the node serves.
_RAPL = f"""\
ExecStartPre=-+/bin/sh -c 'cd /sys/class/powercap && \
chgrp {layout.USER} intel-rapl:*/energy_uj && chmod 0440 intel-rapl:*/energy_uj'"""

# A Pi that is switched off and on again must come back whatever happened before.
_LASTING = """\
Restart=always
RestartSec=2
"""


def node_unit(*, memory_max_mb: int | None, firewall: bool, rapl: bool = False) -> str:
    """Return the unit of Ray's worker and the actor.

    It needs group `video` to ask the firmware for its clock, throttling and power, and hence
    sees the devices; with `rapl` it may read the processor's own counters. Stopping waits for
    batches under way and for Ray to end its processes.
    """
    return f"""\
[Unit]
Description=Farm node: Ray's worker and the inference actor
{_AFTER_NETWORK}
Requires={_ground(firewall)}
After={_ground(firewall)}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{_stamped(services.node())}
{_prepared(rapl=rapl)}
ExecStart={layout.link("node")}/bin/farm run node --config {layout.NODE_CONFIG}
{_LASTING}WatchdogSec=30
TimeoutStartSec=300
TimeoutStopSec=45
KillMode=mixed
SupplementaryGroups=video
{_HARDENING}{_memory(memory_max_mb)}
[Install]
WantedBy=multi-user.target
"""


def head_unit(*, memory_max_mb: int | None, firewall: bool, rapl: bool = False) -> str:
    """Return the template of Ray's head; its instance is the cluster's letter.

    With `rapl` a node on it may read the processor's own counters.
    """
    return f"""\
[Unit]
Description=Farm head %i: Ray's control store
{_AFTER_NETWORK}
Requires={_ground(firewall)}
After={_ground(firewall)}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{_stamped(services.head("%i"))}
{_prepared(rapl=rapl)}
ExecStart={layout.SOFTWARE}/head-%i/bin/farm run head --config {layout.SETTINGS}/head-%i.yaml
{_LASTING}WatchdogSec=30
TimeoutStartSec=300
TimeoutStopSec=45
KillMode=mixed
SupplementaryGroups=video
{_HARDENING}{_memory(memory_max_mb)}
[Install]
WantedBy=multi-user.target
"""


def gateway_unit(*, memory_max_mb: int | None) -> str:
    """Return the template of the gateway.

    It waits for no node at a boot: `TimeoutStartSec` covers the slowest shelf. However it ends
    it is started again, and soon, as nobody else answers clients; but not once it was told to
    leave, by SIGUSR1, because the other instance has taken over.
    """
    return f"""\
[Unit]
Description=Farm gateway %i
{_AFTER_NETWORK}
After={RAY_MOUNT} {_FIREWALL} farm-head@a.service farm-head@b.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{_stamped(services.gateway("%i"))}
ExecStart={layout.SOFTWARE}/gateway-%i/bin/farm run gateway \
--config {layout.SETTINGS}/gateway-%i.yaml
ExecCondition=+/bin/sh -c '! test -e {retired("%n")}'
Restart=always
RestartSec=500ms
WatchdogSec=30
TimeoutStartSec=600
TimeoutStopSec=90
KillMode=mixed
{_HARDENING}{_memory(memory_max_mb)}
[Install]
WantedBy=multi-user.target
"""


def firewall_unit() -> str:
    """Return the unit that loads the farm's own table and leaves all others alone.

    Debian's own, where it is enabled, begins with removing all there are.
    """
    return f"""\
[Unit]
Description=Farm firewall: only the farm's machines reach Ray
Before=network-pre.target
Wants=network-pre.target
DefaultDependencies=no
After=local-fs.target nftables.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
{_stamped(services.firewall())}
ExecStart=/usr/sbin/nft -f {layout.FIREWALL}
ExecReload=/usr/sbin/nft -f {layout.FIREWALL}
{_stamped(services.firewall(), "ExecReload")}

[Install]
WantedBy=multi-user.target
"""


def ray_mount() -> str:
    """Return the capped tmpfs for Ray's files: SD cards wear out, and sockets need no disk."""
    return f"""\
[Unit]
Description=Farm: memory for Ray's logs and sockets

[Mount]
What=tmpfs
Where={layout.RAY}
Type=tmpfs
Options=size={_RAY_TMPFS_MB}m,mode=0700,nodev,nosuid,noexec

[Install]
WantedBy=multi-user.target
"""


def _ground(firewall: bool) -> str:
    """Return the units without which nothing of Ray's may start."""
    return f"{RAY_MOUNT} {_FIREWALL}" if firewall else RAY_MOUNT


def _prepared(*, rapl: bool) -> str:
    """Return the lines by which a node finds what is its own alone."""
    return f"{_OWN_MEMORY}\n{_RAPL}" if rapl else _OWN_MEMORY


def _stamped(service: Service, when: str = "ExecStartPre") -> str:
    """Return the line by which a unit keeps what it is started with, written as root."""
    marker = f"{STARTED}/%n"
    return f"{when}=+/bin/sh -c 'mkdir -p {STARTED} && {service.stamp} > {marker}'"


def _memory(max_mb: int | None) -> str:
    return "" if max_mb is None else f"MemoryMax={max_mb}M\nMemorySwapMax=0\n"
