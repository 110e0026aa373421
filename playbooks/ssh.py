"""A host over SSH, by Fabric: only known host keys, every wait bounded."""

import io
import posixpath
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import paramiko
from fabric import Config, Connection
from invoke.exceptions import AuthFailure, CommandTimedOut

from farm.inventory import Host
from playbooks.commands import Put, Result, Run, sh
from playbooks.transport import (
    CommandFailedError,
    HostDeniedError,
    HostKeyError,
    HostUnreachableError,
)

# Beyond a command's own bound: for the host's word that it was cut, then for a host that is
# silent. A peer that acknowledges nothing is given up after `_SILENCE_MS`.
_GRACE_S = 15.0
_SILENCE_MS = 15_000
_KEEPALIVE_S = 5

# What coreutils' `timeout` exits with when it cut a command, or had to kill it.
_CUT = frozenset({124, 137})

_BATCH = 32_768

# Invoke's, by which it knows that sudo asks; sudo prints it before anything else.
_PROMPT = "[sudo] password: "


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
        text = sh(
            "timeout", "-k", "5", f"{bound_s:g}", "sh", "-c", f"exec </dev/null\n{command.text}"
        )
        options: dict[str, Any] = {
            "hide": True,
            "warn": True,
            "pty": False,
            "in_stream": False,
            "encoding": "utf-8",
            "timeout": bound_s + _GRACE_S,
        }
        with self._errors():
            connection = self._open()
            if not command.sudo:
                done = connection.run(text, **options)
            elif self._settings.sudo_password is None:
                done = connection.run(f"sudo -n {text}", **options)
            else:
                done = connection.sudo(text, **options)
        if done.exited < 0:
            raise self._lost()
        result = Result(stdout=done.stdout, stderr=done.stderr, exit_code=done.exited)
        if result.exit_code in _CUT and result.exit_code not in command.expected:
            raise CommandFailedError(
                f"{self._host.name}: `{command}` was cut after {bound_s:g} s",
                fix="see what keeps the host busy (`farm doctor` measures its disk), then run"
                " this again",
            )
        if command.sudo:
            self._check_sudo(result)
        return result

    def put(self, command: Put) -> None:
        """Send a file beside its place as the SSH user, then move it as root."""
        name = posixpath.basename(command.to)
        landing = f"/var/tmp/farm-{token_hex(8)}-{name}"  # noqa: S108 - a name nobody guesses
        with self._errors():
            self._send(command.content, landing)
        mode, owner, group = f"{command.mode:04o}", *command.owner.split(":", 1)
        beside = f"{command.to}.farm-new"
        moved = self.run(
            Run(
                text=f"trap {shlex.quote(sh('rm', '-f', landing, beside))} EXIT\n"
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
            raise _not_written(self._host, command, moved.stderr)

    def close(self) -> None:
        connection, self._connection, self._sftp = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _send(self, content: bytes | Path, landing: str) -> None:
        if self._sftp is None:
            self._sftp = self._open().sftp()
        source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        try:
            with source, self._sftp.open(landing, "wx") as file:
                file.chmod(0o600)
                file.set_pipelined(True)
                while piece := source.read(_BATCH):
                    file.write(piece)
        except OSError as error:
            self._raise_if_lost(error)
            with suppress(OSError, paramiko.SSHException):
                self._sftp.remove(landing)
            raise CommandFailedError(
                f"{self._host.name}: {landing} could not be written ({error})",
                fix="free space on the host's disk (`df -h /var/tmp` there), then run this again",
            ) from error

    def _open(self) -> Connection:
        if self._connection is None or not self._connection.is_connected:
            self.close()
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        host, settings = self._host, self._settings
        config = Config(overrides={"sudo": {"password": settings.sudo_password, "prompt": _PROMPT}})
        key = {} if host.ssh_key is None else {"key_filename": str(host.ssh_key.expanduser())}
        connection = Connection(
            host.address,
            user=host.user,
            port=host.port,
            config=config,
            connect_timeout=settings.connect_timeout_s,
            connect_kwargs={
                "banner_timeout": settings.connect_timeout_s,
                "auth_timeout": settings.connect_timeout_s,
                **key,
            },
        )
        # Fabric itself would accept any key, whatever known-hosts files say.
        client = connection.client
        if settings.known_hosts.exists():
            client.load_host_keys(str(settings.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        connection.open()
        transport = connection.transport
        transport.set_keepalive(_KEEPALIVE_S)
        with suppress(OSError, AttributeError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell errors of Fabric, Paramiko and the network in the farm's words."""
        host = self._host
        where = f"{host.user}@{host.address}:{host.port}"
        try:
            yield
        except paramiko.BadHostKeyException as error:
            raise HostKeyError(
                f"{host.name}: the key of {where} has changed: it was"
                f" {_fingerprint(error.expected_key)}, now it is {_fingerprint(error.key)}",
                fix="if the host was set up anew, look at its fingerprint on its own screen"
                " (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`) and accept it with"
                f" `farm hosts trust --limit {host.name} --replace`; if it was not, somebody"
                " answers in its place",
            ) from error
        except paramiko.AuthenticationException as error:
            raise HostDeniedError(
                f"{host.name}: {where} refuses the login with"
                f" {host.ssh_key or 'the keys of the SSH agent'}",
                fix=f"put the public key there: `ssh-copy-id -i {host.ssh_key or 'KEY'}.pub"
                f" -p {host.port} {host.user}@{host.address}`, or correct `user` and `ssh_key` in"
                " the inventory",
            ) from error
        except AuthFailure as error:
            raise HostDeniedError(
                f"{host.name}: sudo refuses the password of {host.user}",
                fix="give the right one at the prompt, or let the user run sudo without",
            ) from error
        except CommandTimedOut as error:
            self.close()
            raise self._lost() from error
        except paramiko.SSHException as error:
            if "not found in known_hosts" in str(error):
                raise HostKeyError(
                    f"{host.name}: the key of {where} is not known",
                    fix="look at its fingerprint and accept it: `farm hosts trust`",
                ) from error
            if isinstance(error, paramiko.ssh_exception.PasswordRequiredException):
                raise HostDeniedError(
                    f"{host.name}: the key {host.ssh_key} has a passphrase",
                    fix="add it to the SSH agent first: `ssh-add`",
                ) from error
            self.close()
            raise self._lost(str(error)) from error
        except (OSError, EOFError) as error:
            if isinstance(error, FileNotFoundError) and host.ssh_key is not None:
                raise HostDeniedError(
                    f"{host.name}: the key file {host.ssh_key} does not exist here",
                    fix="correct `ssh_key` in the inventory, or make one: `ssh-keygen -t ed25519`",
                ) from error
            connected = self._connection is not None
            self.close()
            if connected:
                raise self._lost(str(error)) from error
            raise HostUnreachableError(
                f"{host.name}: {host.address}:{host.port} does not answer ({_reason(error)})",
                fix="is it switched on, cabled, and at this address? `ping` it; is sshd enabled"
                " (`sudo systemctl enable --now ssh` there)?",
            ) from error

    def _raise_if_lost(self, error: Exception) -> None:
        connection = self._connection
        if connection is None or not connection.is_connected:
            raise self._lost(str(error)) from error

    def _lost(self, reason: str = "") -> HostUnreachableError:
        detail = f" ({reason})" if reason else ""
        return HostUnreachableError(
            f"{self._host.name}: the connection to {self._host.address} was lost{detail}",
            fix="see that the host is up and run this again: it goes on where it stopped",
        )

    def _check_sudo(self, result: Result) -> None:
        """Raise what sudo itself said, if it never ran the command."""
        said = result.stderr.removeprefix(_PROMPT).strip().partition("\n")[0]
        host = self._host
        if result.exit_code == 1 and said.startswith("sudo:") and "required" in said:
            raise HostDeniedError(
                f"{host.name}: sudo asks {host.user} for a password",
                fix="run this with --ask-sudo-password, or let the user run sudo without one",
            )
        refused = "is not in the sudoers file" in said or "is not allowed to execute" in said
        if result.exit_code == 1 and (refused or said.startswith("sudo:")):
            raise HostDeniedError(
                f"{host.name}: {host.user} may not use sudo ({said})",
                fix=f"make it an administrator there, as root: `usermod -aG sudo {host.user}`",
            )


def _not_written(host: Host, command: Put, said: str) -> CommandFailedError:
    if "No space left" in said:
        fix = "free space on the host's disk (`df -h` there)"
    else:
        fix = f"see why {posixpath.dirname(command.to)} cannot be written there"
    return CommandFailedError(
        f"{host.name}: {command.to} could not be written ({said.strip() or 'no reason given'})",
        fix=f"{fix}, then run this again: it goes on where it stopped",
    )


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
