"""The commands for hosts under Fabric's own: `fab -r playbooks bootstrap -i shelf.yaml`.

Each is the `farm` command of its name, with the same checks, questions and exit codes.
"""

import subprocess
import sys
from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

_ON_HOSTS = {
    "inventory": "the farm's hosts, such as inventory/example.yaml",
    "limit": "only these hosts: names, ranges, globs or labels; may be given several times",
}
_AS_ROOT = _ON_HOSTS | {"ask-sudo-password": "ask for the password that sudo wants on the hosts"}
_CHANGING = _AS_ROOT | {"dry-run": "show what would be done, host by host, and do nothing"}
_YES = {"yes": "do not ask"}


@task(help=_ON_HOSTS | _YES, iterable=["limit"])
def trust(_: Context, inventory: str, limit: Sequence[str], yes: bool = False) -> None:
    """Show the hosts' key fingerprints, ask, and write them down."""
    _farm("hosts", "trust", inventory=inventory, limit=limit, yes=yes)


@task(help=_AS_ROOT, iterable=["limit"])
def doctor(
    _: Context, inventory: str, limit: Sequence[str], ask_sudo_password: bool = False
) -> None:
    """Examine the hosts; nothing is changed."""
    _farm("doctor", inventory=inventory, limit=limit, ask_sudo_password=ask_sudo_password)


@task(help=_CHANGING, iterable=["limit"])
def bootstrap(
    _: Context,
    inventory: str,
    limit: Sequence[str],
    ask_sudo_password: bool = False,
    dry_run: bool = False,
) -> None:
    """Turn bare hosts into a farm that serves; run again it completes what is missing."""
    _farm(
        "bootstrap",
        inventory=inventory,
        limit=limit,
        ask_sudo_password=ask_sudo_password,
        dry_run=dry_run,
    )


@task(help={name: told for name, told in _CHANGING.items() if name != "limit"})
def upgrade(
    _: Context, inventory: str, ask_sudo_password: bool = False, dry_run: bool = False
) -> None:
    """Move a farm that serves to this machine's version of it, one node at a time."""
    _farm("upgrade", inventory=inventory, ask_sudo_password=ask_sudo_password, dry_run=dry_run)


@task(help=_CHANGING | _YES, iterable=["limit"])
def uninstall(
    _: Context,
    inventory: str,
    limit: Sequence[str],
    ask_sudo_password: bool = False,
    dry_run: bool = False,
    yes: bool = False,
) -> None:
    """Remove the farm from its hosts."""
    _farm(
        "uninstall",
        inventory=inventory,
        limit=limit,
        ask_sudo_password=ask_sudo_password,
        dry_run=dry_run,
        yes=yes,
    )


def _farm(*command: str, inventory: str, limit: Sequence[str] = (), **flags: bool) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "farm", *command, f"--inventory={inventory}"),
            *(f"--limit={hosts}" for hosts in limit),
            *(f"--{flag.replace('_', '-')}" for flag, given in flags.items() if given),
        ],
        check=False,
    )
    if ended.returncode:
        raise Exit(code=ended.returncode)
