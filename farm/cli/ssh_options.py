"""Options of commands that reach hosts over SSH, and how their passwords are found."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from farm.inventory import Inventory

# Under which `keyring set bramble-farm FARM` keeps a farm's sudo password.
KEYRING_SERVICE = "bramble-farm"

AskSudoPassword = Annotated[
    bool,
    typer.Option(
        "--ask-sudo-password",
        "-K",
        help="Ask for the password that sudo wants on the hosts. Without it the keyring is asked"
        " (`keyring set bramble-farm FARM`); without an entry there sudo must want none.",
    ),
]
Parallel = Annotated[int, typer.Option(min=1, max=256, help="Hosts worked on at once.")]
MaxFailures = Annotated[
    int | None,
    typer.Option(min=0, help="Stop the others once more hosts than this have failed."),
]


def sudo_password(inventory: "Inventory", *, ask: bool) -> str | None:
    """Return the password for sudo from a prompt or the keyring; None where there is none.

    Raises:
        ConfigurationError: it was to be asked for where nobody can answer.
    """
    if not ask:
        return _kept(inventory.farm.name)
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "--ask-sudo-password needs a terminal to ask on; without one keep the password in the"
            f" keyring: `keyring set {KEYRING_SERVICE} {inventory.farm.name}`"
        )
    password: str = typer.prompt("Password for sudo on the hosts", hide_input=True, err=True)
    return password


def _kept(farm: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, farm)
    except KeyringError:
        # Many machines have none; then sudo must want no password, or says that it does.
        return None
