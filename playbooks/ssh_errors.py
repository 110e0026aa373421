"""Errors of SSH and sudo in the farm's words: what happened, why, and what to do next."""

import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paramiko
from invoke.exceptions import CommandTimedOut, Failure, ResponseNotAccepted

from farm.inventory import Host
from playbooks.commands import Put, Result
from playbooks.transport import (
    CommandFailedError,
    HostDeniedError,
    HostKeyError,
    HostUnreachableError,
)

# What sudo warns of before it does its work, in English.
_HARMLESS = "unable to resolve host"


@contextmanager
def translated(host: Host, *, connected: Callable[[], bool]) -> Iterator[None]:
    """Tell errors of Fabric, Paramiko and the network as the farm's own.

    `connected` says, once there is an error, whether the host had answered before.
    """
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
        raise _refused(host) from error
    except CommandTimedOut as error:
        raise lost(host) from error
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
            raise _refused(host) from error
        raise lost(host, str(error)) from error
    except (OSError, EOFError) as error:
        if connected():
            raise lost(host, str(error)) from error
        raise HostUnreachableError(
            f"{host.name}: {host.address}:{host.port} does not answer ({_reason(error)})",
            fix="is it switched on, cabled, and at this address? `ping` it; is sshd enabled"
            " (`sudo systemctl enable --now ssh` there)?",
        ) from error


def lost(host: Host, reason: str = "") -> HostUnreachableError:
    """Return what to raise where a host answered and does no more."""
    detail = f" ({reason})" if reason else ""
    return HostUnreachableError(
        f"{host.name}: the connection to {host.address} was lost{detail}",
        fix="see that the host is up and run this again: it goes on where it stopped",
    )


def unusable_key(host: Host, error: Exception) -> HostDeniedError:
    """Return what to raise where the key file of the inventory cannot be read."""
    if isinstance(error, FileNotFoundError):
        return HostDeniedError(
            f"{host.name}: the key file {host.ssh_key} does not exist here",
            fix="correct `ssh_key` in the inventory, or make one: `ssh-keygen -t ed25519`",
        )
    return HostDeniedError(
        f"{host.name}: {host.ssh_key} cannot be used as a private key ({error})",
        fix="correct `ssh_key` in the inventory; it names the file without `.pub`",
    )


def not_written(host: Host, command: Put, said: str) -> CommandFailedError:
    """Return what to raise where a file could not be moved into its place."""
    if "No space left" in said:
        fix = "free space on the host's disk (`df -h` there)"
    else:
        fix = f"see why {posixpath.dirname(command.to)} cannot be written there"
    return CommandFailedError(
        f"{host.name}: {command.to} could not be written ({said.strip() or 'no reason given'})",
        fix=f"{fix}, then run this again: it goes on where it stopped",
    )


def check_sudo(host: Host, result: Result) -> None:
    """Raise what sudo itself said, if it never ran the command."""
    lines = result.stderr.strip().splitlines()
    said = next((line for line in lines if _HARMLESS not in line), "")
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


def _refused(host: Host) -> HostDeniedError:
    key = host.ssh_key or "the keys of the SSH agent and of ~/.ssh"
    return HostDeniedError(
        f"{host.name}: {host.user}@{host.address}:{host.port} refuses the login with {key}",
        fix=f"put the public key there: `ssh-copy-id -i {host.ssh_key or 'KEY'}.pub"
        f" -p {host.port} {host.user}@{host.address}`, or correct `user` and `ssh_key` in the"
        " inventory; a key with a passphrase must be in the SSH agent: `ssh-add`",
    )


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
