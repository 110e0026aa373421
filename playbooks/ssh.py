"""A host over SSH, by Fabric: only known host keys, every wait bounded."""

import io
import posixpath
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import paramiko
from fabric import Connection
from invoke.exceptions import CommandTimedOut, Failure, ResponseNotAccepted
from invoke.watchers import FailingResponder

from farm.inventory import Host
from playbooks.commands import Put, Result, Run, sh
from playbooks.transport import (
    CommandFailedError,
    HostDeniedError,
    HostKeyError,
    HostUnreachableError,
)
from playbooks.trust import read_known_hosts

# Beyond a command's own bound: for the host's word that it was cut, then for a host that is
# silent. A peer that acknowledges nothing is given up after `_SILENCE_MS`.
_GRACE_S = 15.0
_SILENCE_MS = 15_000
_KEEPALIVE_S = 5

# What coreutils' `timeout` exits with when it cut a command, or had to kill it.
_CUT = frozenset({124, 137})

_BATCH = 32_768

# What sudo asks with and says to a wrong answer, in English, and warns of before it does its work.
_PROMPT = "[sudo] password: "
_WRONG = "Sorry, try again."
_HARMLESS = "unable to resolve host"

# Where files land, each in a folder that nobody else can look into: what the SFTP server makes is
# readable for all until it is told otherwise. And how to find what a lost connection left there.
_LANDINGS = "/var/tmp"  # noqa: S108 - names there are not guessed, and nobody else's are opened
_LEFT_BEHIND = sh(
    *("find", _LANDINGS, "-maxdepth", "1", "-type", "d", "-name", "farm-????????????????"),
    *("-mmin", "+60", "-exec", "rm", "-rf", "{}", "+"),
)


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
            raise _not_written(self._host, command, moved.stderr)

    def close(self) -> None:
        connection, self._connection, self._sftp = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _send(self, content: bytes | Path, folder: str, landing: str) -> None:
        if self._sftp is None:
            self.run(Run(text=_LEFT_BEHIND, shown="remove what an earlier run left"))
            self._sftp = self._open().sftp()
        source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        try:
            with source:
                self._sftp.mkdir(folder, 0o700)
                with self._sftp.open(landing, "wx") as file:
                    file.set_pipelined(True)
                    while piece := source.read(_BATCH):
                        file.write(piece)
        except OSError as error:
            self._raise_if_lost(error)
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
        except FileNotFoundError as error:
            raise HostDeniedError(
                f"{self._host.name}: the key file {file} does not exist here",
                fix="correct `ssh_key` in the inventory, or make one: `ssh-keygen -t ed25519`",
            ) from error
        except (TypeError, paramiko.PasswordRequiredException):
            return {"look_for_keys": False}
        except (ValueError, OSError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
            raise HostDeniedError(
                f"{self._host.name}: {file} cannot be used as a private key ({error})",
                fix="correct `ssh_key` in the inventory; it names the file without `.pub`",
            ) from error

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
            raise self._refused() from error
        except CommandTimedOut as error:
            self.close()
            raise self._lost() from error
        except Failure as error:
            if not isinstance(error.reason, ResponseNotAccepted):
                raise
            raise HostDeniedError(
                f"{host.name}: sudo refuses the password of {host.user}",
                fix="give the right one at the prompt, or let the user run sudo without",
            ) from error
        except paramiko.SSHException as error:
            if "not found in known_hosts" in str(error):
                raise HostKeyError(
                    f"{host.name}: the key of {where} is not known",
                    fix="look at its fingerprint and accept it: `farm hosts trust`",
                ) from error
            if "No authentication methods available" in str(error):
                raise self._refused() from error
            self.close()
            raise self._lost(str(error)) from error
        except (OSError, EOFError) as error:
            connected = self._connection is not None
            self.close()
            if connected:
                raise self._lost(str(error)) from error
            raise HostUnreachableError(
                f"{host.name}: {host.address}:{host.port} does not answer ({_reason(error)})",
                fix="is it switched on, cabled, and at this address? `ping` it; is sshd enabled"
                " (`sudo systemctl enable --now ssh` there)?",
            ) from error

    def _refused(self) -> HostDeniedError:
        host = self._host
        key = host.ssh_key or "the keys of the SSH agent and of ~/.ssh"
        return HostDeniedError(
            f"{host.name}: {host.user}@{host.address}:{host.port} refuses the login with {key}",
            fix=f"put the public key there: `ssh-copy-id -i {host.ssh_key or 'KEY'}.pub"
            f" -p {host.port} {host.user}@{host.address}`, or correct `user` and `ssh_key` in the"
            " inventory; a key with a passphrase must be in the SSH agent: `ssh-add`",
        )

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
        lines = result.stderr.removeprefix(_PROMPT).strip().splitlines()
        said = next((line for line in lines if _HARMLESS not in line), "")
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
