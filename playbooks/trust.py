"""The farm's own known-hosts file: which key each host must show."""

import logging
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import paramiko
from paramiko.hostkeys import InvalidHostKey

from farm.core.errors import ConfigurationError, FarmError
from farm.core.private_files import replace_file
from farm.inventory import Host
from playbooks.transport import HostUnreachableError

# It also raises all that it logs; without a handler Python would print its tracebacks.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_TIMEOUT_S = 10.0
_PARALLEL = 32
_SSH_PORT = 22

# What an operator can compare with a host's own screen; the first that the host has is taken.
_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


class Standing(StrEnum):
    """How a key that a host shows stands to the one that is known."""

    NEW = "new"
    KNOWN = "known"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """The key that a host shows now, or why it shows none."""

    host: Host
    key: paramiko.PKey | None = None
    standing: Standing = Standing.NEW
    error: FarmError | None = None

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -lf` prints it."""
        return "" if self.key is None else str(self.key.fingerprint)

    @property
    def kind(self) -> str:
        return "" if self.key is None else str(self.key.get_name())


def shown_keys(hosts: Sequence[Host], known_hosts: Path) -> list[ShownKey]:
    """Ask each host for its key, which proves nothing yet."""
    known = read_known_hosts(known_hosts)
    with ThreadPoolExecutor(_PARALLEL, "trust") as pool:
        return list(pool.map(lambda host: _shown(host, known), hosts))


def read_known_hosts(file: Path) -> paramiko.HostKeys:
    """Return what is known; nothing where there is no file.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    keys = paramiko.HostKeys()
    if file.exists():
        try:
            keys.load(str(file))
        except (OSError, paramiko.SSHException, InvalidHostKey) as error:
            raise ConfigurationError(
                f"{file} cannot be read ({error}); remove it and run `farm hosts trust` again"
            ) from error
    return keys


def accept(shown: Sequence[ShownKey], known_hosts: Path) -> None:
    """Write the keys down, each as its host's only one; the file changes in one piece."""
    keys = read_known_hosts(known_hosts)
    for one in shown:
        if one.key is None:
            continue
        name = _entry(one.host)
        with suppress(KeyError):
            del keys[name]
        keys.add(name, one.key.get_name(), one.key)
    lines = (
        f"{name} {kind} {key.get_base64()}\n"
        for name, of_host in keys.items()
        for kind, key in of_host.items()
    )
    replace_file(known_hosts, "".join(lines).encode())


def _shown(host: Host, known: paramiko.HostKeys) -> ShownKey:
    try:
        key = _ask(host)
    except (OSError, EOFError, paramiko.SSHException) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        return ShownKey(
            host=host,
            error=HostUnreachableError(
                f"{host.name}: {host.address}:{host.port} shows no key ({reason})",
                fix="is it switched on, cabled, at this address, and is sshd enabled there?",
            ),
        )
    entries = known.lookup(_entry(host))
    if not entries:
        return ShownKey(host=host, key=key, standing=Standing.NEW)
    same = entries.get(key.get_name()) == key
    return ShownKey(host=host, key=key, standing=Standing.KNOWN if same else Standing.CHANGED)


def _ask(host: Host) -> paramiko.PKey:
    peer = socket.create_connection((host.address, host.port), timeout=_TIMEOUT_S)
    with closing(paramiko.Transport(peer)) as transport:
        transport.banner_timeout = _TIMEOUT_S
        transport.get_security_options().key_types = _KEY_TYPES
        transport.start_client(timeout=_TIMEOUT_S)
        return transport.get_remote_server_key()


def _entry(host: Host) -> str:
    """Return how a known-hosts file names a host."""
    return host.address if host.port == _SSH_PORT else f"[{host.address}]:{host.port}"
