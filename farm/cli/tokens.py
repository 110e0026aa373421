"""`farm tokens`: tokens, for clients that have no certificate."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.exits import farm_errors
from farm.cli.homes import farm_here
from farm.cli.options import Context, Output, OutputFormat
from farm.core.roles import Role

if TYPE_CHECKING:
    from farm.core.tokens import IssuedToken

app = typer.Typer(help="Tokens, for clients without a certificate.", no_args_is_help=True)

TokensFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="The file of tokens of a farm that was not bootstrapped, as `farm up --tokens` reads"
        " it.",
        show_default="that of the farm",
    ),
]


@app.callback()
def _group() -> None:
    """Tokens, for clients without a certificate."""


@app.command("issue")
def issue(
    name: Annotated[str, typer.Argument(help="Whose it is: a person or a program.")],
    role: Annotated[
        Role,
        typer.Option(
            help="infer: send requests; operate: run the farm as well; admin: everything."
        ),
    ] = Role.INFER,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is good.")] = 90,
    file: TokensFile = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Issue a token and print it, this once: what is kept of it is a hash."""
    with farm_errors():
        from farm.cli.tables import print_json
        from farm.core.private_files import locked
        from farm.core.token_files import kept_tokens, write_tokens

        place, told = _place(file, context)
        with locked(place):
            tokens, secret = kept_tokens(place).issue(name, role, now=datetime.now(UTC), days=days)
            write_tokens(place, tokens)
        made = tokens.issued[-1]
        sys.stderr.write(
            f"lets {name} in with the role {role} until {made.expires:%Y-%m-%d}; it is shown this"
            f" once.\n{told}\nCommands and farm.client take it from FARM_TOKEN_FILE or FARM_TOKEN,"
            f" others send `authorization: Bearer TOKEN`.\n"
        )
        if output is Output.JSON:
            print_json("issued", {**token_document(made), "token": secret})
        else:
            sys.stdout.write(f"{secret}\n")


@app.command("ls")
def ls(
    file: TokensFile = None, context: Context = None, output: OutputFormat = Output.TABLE
) -> None:
    """List the tokens that were issued, and what became of them."""
    with farm_errors():
        from farm.cli.tables import print_json, print_table
        from farm.core.token_files import kept_tokens

        place, _ = _place(file, context)
        issued = kept_tokens(place).issued
        if output is Output.JSON:
            print_json("tokens", [token_document(token) for token in issued])
            return
        now = datetime.now(UTC)
        print_table(
            "Tokens",
            ("name", "role", "id", "issued", "ends", ""),
            [
                (
                    token.name,
                    str(token.role),
                    token.id,
                    f"{token.issued:%Y-%m-%d}",
                    f"{token.expires:%Y-%m-%d}",
                    _state(token, now),
                )
                for token in issued
            ],
        )


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Whose token is taken back.")],
    file: TokensFile = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Take a token back."""
    with farm_errors():
        from farm.cli.tables import print_json
        from farm.core.private_files import locked
        from farm.core.token_files import kept_tokens, write_tokens

        place, told = _place(file, context)
        with locked(place):
            tokens = kept_tokens(place).revoke(name, now=datetime.now(UTC))
            write_tokens(place, tokens)
        sys.stderr.write(f"the token of {name} is taken back.\n{told}\n")
        if output is Output.JSON:
            taken = [token for token in tokens.issued if token.name == name]
            print_json("revoked", token_document(taken[-1]))


def _place(file: Path | None, context: str | None) -> tuple[Path, str]:
    """Return the file that a command means, and how the gateway learns of a change in it.

    Raises:
        ConfigurationError: it names no farm that is kept here.
    """
    if file is not None:
        return file, f"A gateway that reads {file} knows it from now on."
    home, farm = farm_here(context, otherwise="name the --file of a farm that was not bootstrapped")
    return home.folder(farm).tokens, f"The gateway of {farm} learns it from `farm bootstrap`."


def token_document(token: "IssuedToken") -> dict[str, Any]:
    """Return what is known of a token as JSON values, its hash apart."""
    return {
        "id": token.id,
        "name": token.name,
        "role": str(token.role),
        "issued": token.issued.isoformat(),
        "expires": token.expires.isoformat(),
        "revoked": token.revoked.isoformat() if token.revoked else None,
    }


def _state(token: "IssuedToken", now: datetime) -> str:
    if token.revoked is not None:
        return f"revoked {token.revoked:%Y-%m-%d}"
    left = token.expires - now
    return f"in {left.days} days" if token.good(now) else "ended"
