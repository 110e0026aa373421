"""A host over SSH, by Fabric: only known host keys, every wait bounded."""

import io
import posixpath
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import paramiko
from fabric import Connection
from invoke.watchers import FailingResponder

from farm.inventory import Host
from playbooks.commands import Put, Result, Run, sh
from playbooks.ssh_errors import check_sudo, lost, not_written, translated, unusable_key
from playbooks.transport import CommandFailedError, HostUnreachableError
from playbooks.trust import read_known_hosts

# Beyond a command's own bound: for the host's word that it was cut, then for a host that is
# silent. A peer that acknowledges nothing is given up after `_SILENCE_MS`.
_GRACE_S = 15.0
_SILENCE_MS = 15_000
_KEEPALIVE_S = 5

# What coreutils' `timeout` exits with when it cut a command, or had to kill it.
_CUT = frozenset({124, 137})

_BATCH = 32_768

# What sudo asks with, and says to a wrong answer in English.
_PROMPT = "[sudo] password: "
_WRONG = "Sorry, try again."

# Where files land, each in a folder that nobody else can look into: what the SFTP server makes is
# readable for all until it is told otherwise.
_LANDINGS = "/var/tmp"  # noqa: S108 - names there are not guessed, and nobody else's are opened


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How hosts are reached. `sudo_password` None means that sudo asks for none."""

    known_hosts: Path
    connect_timeout_s: int = 10
    sudo_password: str | None = None

    def __repr__(self) -> str:
        return f"SshSettings(known_hosts={str(self.known_hosts)!r})"


class SshTransport:
    """One host's connection, opened by the first call. For one thread at a time."""

    def __init__(self, host: Host, settings: SshSettings) -> None:
        self._host = host
        self._settings = settings
        self._connection: Connection | None = None
        self._sftp: paramiko.SFTPClient | None = None

    def run(self, command: Run) -> Result:
        bound_s = max(command.timeout_s, 1.0)
        # The host itself ends what takes too long: closing a channel would let it run on.
        # Its words are told to the operator and looked at, so they are not to be translated.
        inner = f"exec </dev/null\nexport LC_ALL=C\n{command.text}"
        text = sh("timeout", "-k", "5", f"{bound_s:g}", "sh", "-c", inner)
        watchers = []
        if command.sudo:
            password = self._settings.sudo_password
            asking = ("-n",) if password is None else ("-S", "-p", _PROMPT)
            text = f"{sh('env', 'LC_ALL=C', 'sudo', *asking)} {text}"
            if password is not None:
                watchers.append(FailingResponder(re.escape(_PROMPT), f"{password}\n", _WRONG))
        options: dict[str, Any] = {
            "hide": True,
            "warn": True,
            "pty": False,
            "in_stream": False,
            "encoding": "utf-8",
            "timeout": bound_s + _GRACE_S,
            "watchers": watchers,
        }
        with self._errors():
            done = self._open().run(text, **options)
            if done.exited < 0:
                raise lost(self._host)
        result = Result(stdout=done.stdout, stderr=done.stderr, exit_code=done.exited)
        if result.exit_code in _CUT and result.exit_code not in command.expected:
            raise CommandFailedError(
                f"{self._host.name}: `{command}` was cut after {bound_s:g} s",
                fix="see what keeps the host busy (`farm doctor` measures its disk), then run"
                " this again",
            )
        if command.sudo:
            said = result.stderr.removeprefix(_PROMPT)
            check_sudo(self._host, replace(result, stderr=said))
        return result

    def put(self, command: Put) -> None:
        """Send a file beside its place as the SSH user, then move it as root."""
        folder = f"{_LANDINGS}/farm-{token_hex(8)}"
        landing = f"{folder}/{posixpath.basename(command.to)}"
        with self._errors():
            self._send(command.content, folder, landing)
        mode, owner, group = f"{command.mode:04o}", *command.owner.split(":", 1)
        beside = f"{command.to}.farm-new"
        moved = self.run(
            Run(
                text=f"trap {shlex.quote(sh('rm', '-rf', folder, beside))} EXIT\n"
                + " && ".join(
                    (
                        sh("install", "-m", mode, "-o", owner, "-g", group, landing, beside),
                        sh("sync", beside),
                        sh("mv", "-fT", beside, command.to),
                    )
                ),
                sudo=True,
            )
        )
        if moved.exit_code:
            raise not_written(self._host, command, moved.stderr)

    def close(self) -> None:
        connection, self._connection, self._sftp = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _send(self, content: bytes | Path, folder: str, landing: str) -> None:
        if self._sftp is None:
            self.run(Run(text=_removal(), shown="remove what an earlier run left"))
            self._sftp = self._open().sftp()
            self._sftp.get_channel().settimeout(_GRACE_S)
        source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        try:
            with source:
                self._sftp.mkdir(folder, 0o700)
                with self._sftp.open(landing, "wx") as file:
                    file.set_pipelined(True)
                    while piece := source.read(_BATCH):
                        file.write(piece)
        except OSError as error:
            if isinstance(error, TimeoutError) or not self._is_connected:
                raise lost(self._host, str(error)) from error
            with suppress(OSError, paramiko.SSHException):
                self._sftp.remove(landing)
            with suppress(OSError, paramiko.SSHException):
                self._sftp.rmdir(folder)
            raise CommandFailedError(
                f"{self._host.name}: {landing} could not be written ({error})",
                fix="free space on the host's disk (`df -h /var/tmp` there), then run this again",
            ) from error

    def _open(self) -> Connection:
        if self._connection is None or not self._connection.is_connected:
            self.close()
            self._connection = self._connect()
        return self._connection

    @property
    def _is_connected(self) -> bool:
        return self._connection is not None and bool(self._connection.is_connected)

    def _connect(self) -> Connection:
        host, settings = self._host, self._settings
        connection = Connection(
            host.address,
            user=host.user,
            port=host.port,
            connect_timeout=settings.connect_timeout_s,
            connect_kwargs={
                "banner_timeout": settings.connect_timeout_s,
                "auth_timeout": settings.connect_timeout_s,
                **self._key(),
            },
        )
        # Fabric itself would accept any key, whatever known-hosts files say.
        client = connection.client
        for name, keys in read_known_hosts(settings.known_hosts).items():
            for kind, key in keys.items():
                client.get_host_keys().add(name, kind, key)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            connection.open()
        except BaseException:
            client.close()
            raise
        transport = connection.transport
        transport.set_keepalive(_KEEPALIVE_S)
        transport.channel_timeout = settings.connect_timeout_s
        with suppress(OSError, AttributeError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
        return connection

    def _key(self) -> dict[str, Any]:
        """Return what to log in with. A key with a passphrase is left to the SSH agent."""
        file = self._host.ssh_key
        if file is None:
            return {}
        try:
            # Paramiko itself would try a file as a key of each type, and tell of the last failure.
            return {"pkey": paramiko.PKey.from_path(file), "look_for_keys": False}
        except (TypeError, paramiko.PasswordRequiredException):
            return {"look_for_keys": False}
        except (ValueError, OSError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
            raise unusable_key(self._host, error) from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell errors as the farm's own; a connection that was lost is opened anew next time."""
        try:
            with translated(self._host, connected=lambda: self._connection is not None):
                yield
        except HostUnreachableError:
            self.close()
            raise


def _removal() -> str:
    """Return what removes the landings that lost connections left more than an hour ago."""
    found = ("-maxdepth", "1", "-type", "d", "-name", "farm-????????????????", "-mmin", "+60")
    return sh("find", _LANDINGS, *found, "-exec", "rm", "-rf", "{}", "+")
