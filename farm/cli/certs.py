"""`farm certs`: who may talk to a farm."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.exits import farm_errors
from farm.cli.homes import farm_here
from farm.cli.issued_certificates import kept_certificates
from farm.cli.options import Context, Output, OutputFormat
from farm.cli.revoking import revoke
from farm.core.errors import ConfigurationError
from farm.core.revocations import Revocation
from farm.core.roles import KIND_OF, Role

if TYPE_CHECKING:
    from farm.contexts import FarmHome
    from farm.pki import CertificateFacts

# In the folder that somebody is given.
_CA, _CERTIFICATE, _KEY = "ca.pem", "certificate.pem", "key.pem"

app = typer.Typer(help="Who may talk to a farm.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Who may talk to a farm."""


@app.command("issue")
def issue(
    name: Annotated[str, typer.Argument(help="Whose it is: a person or a program.")],
    role: Annotated[
        Role,
        typer.Option(
            help="What they may do: send requests; run the farm too; bring their own models and"
            " settings too."
        ),
    ] = Role.INFER,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is good.")] = 365,
    folder: Annotated[
        Path | None,
        typer.Option(help="A new folder to write it into.", show_default="./FARM-NAME"),
    ] = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Issue a certificate into a folder to hand over, and say how it is used.

    Until it ends, or is revoked (`farm certs revoke`), whoever has the folder is let in.
    """
    with farm_errors():
        from farm.cli.tables import print_json
        from farm.core.identities import Identity
        from farm.core.private_files import PRIVATE, replace_file
        from farm.pki import Authority, inspect

        home, farm = farm_here(context)
        authority = Authority.load(home.folder(farm).authority)
        kind = KIND_OF[role]
        identity = Identity(farm, kind, name)
        place = Path(f"{farm}-{name}") if folder is None else folder
        if place.exists():
            raise ConfigurationError(f"{place} exists already; choose another one with --folder")
        issued = authority.issue(identity, now=datetime.now(UTC), days=days)
        replace_file(place / _KEY, issued.key_pem, mode=PRIVATE)
        replace_file(place / _CERTIFICATE, issued.certificate_pem)
        replace_file(place / _CA, authority.certificate_pem)
        facts = inspect(issued.certificate_pem)
        record = f"{kind}-{name}-{facts.fingerprint[:8]}.pem"
        replace_file(home.folder(farm).issued / record, issued.certificate_pem)
        sys.stderr.write(
            f"{place} lets {name} in as {kind} of {farm} until {_day(facts.not_after)}; hand the"
            " whole folder over on a safe way\n"
        )
        address = _address(home, farm)
        if output is Output.JSON:
            print_json(
                "issued", {"folder": str(place), "address": address, **certificate_document(facts)}
            )
        else:
            sys.stdout.write(_usage(place, address))


app.command("revoke")(revoke)


@app.command("ls")
def ls(context: Context = None, output: OutputFormat = Output.TABLE) -> None:
    """List the CA, the operator's certificate and what `issue` has issued here.

    Each machine has its own; `farm doctor` says when those end.
    """
    with farm_errors():
        from farm.cli.tables import print_json, print_table
        from farm.pki import inspect, kept_revocations

        home, farm = farm_here(context)
        known = [
            (what, inspect(path.read_bytes(), str(path)))
            for what, path in kept_certificates(home.folder(farm))
        ]
        revoked = kept_revocations(home.folder(farm).authority).revocations
        if output is Output.JSON:
            print_json(
                "certificates",
                [
                    certificate_document(facts) | {"revoked": _moment(revoked.get(facts.serial))}
                    for _, facts in known
                ],
            )
            return
        now = datetime.now(UTC)
        print_table(
            f"Certificates of {farm}",
            ("for", "identity", "ends", "", "fingerprint"),
            [
                (
                    what,
                    facts.identity.uri if facts.identity else "-",
                    _day(facts.not_after),
                    _standing(facts, revoked.get(facts.serial), now),
                    facts.fingerprint[:16],
                )
                for what, facts in known
            ],
        )


@app.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="A PEM certificate.")],
    output: OutputFormat = Output.TABLE,
) -> None:
    """Show what a certificate says: whose it is, for which names, until when."""
    with farm_errors():
        from farm.cli.tables import print_json, print_table
        from farm.pki import inspect

        try:
            facts = inspect(file.read_bytes(), str(file))
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
        if output is Output.JSON:
            print_json("certificate", certificate_document(facts))
            return
        rows = [
            ("identity", facts.identity.uri if facts.identity else "none of a farm"),
            ("addresses", ", ".join(facts.addresses) or "-"),
            ("names", ", ".join(facts.names) or "-"),
            ("begins", facts.not_before.isoformat()),
            ("ends", f"{facts.not_after.isoformat()}, {_left(facts, datetime.now(UTC))}"),
            ("SHA-256", facts.fingerprint),
        ]
        print_table(str(file), ("fact", "value"), rows)


def _address(home: "FarmHome", farm: str) -> str:
    return home.context(farm).address if farm in home.farms() else "HOST:8001"


def _usage(place: Path, address: str) -> str:
    return (
        f"# the farm command, in a shell that is in {place}\n"
        f"export FARM_CONNECT={address} FARM_TLS_CA={_CA}"
        f" FARM_TLS_CERTIFICATE={_CERTIFICATE} FARM_TLS_KEY={_KEY}\n"
        "\n"
        "# tritonclient\n"
        "from tritonclient.grpc import InferenceServerClient\n"
        f'client = InferenceServerClient("{address}", ssl=True, root_certificates="{_CA}",\n'
        f'    certificate_chain="{_CERTIFICATE}", private_key="{_KEY}")\n'
    )


def certificate_document(facts: "CertificateFacts") -> dict[str, Any]:
    """Return what a certificate says as JSON values."""
    return {
        "identity": facts.identity.uri if facts.identity else None,
        "addresses": list(facts.addresses),
        "names": list(facts.names),
        "not_before": facts.not_before.isoformat(),
        "not_after": facts.not_after.isoformat(),
        "fingerprint": facts.fingerprint,
    }


def _moment(revocation: Revocation | None) -> str | None:
    return None if revocation is None else revocation.revoked_at.isoformat()


def _standing(facts: "CertificateFacts", revocation: Revocation | None, now: datetime) -> str:
    return _left(facts, now) if revocation is None else f"revoked {_day(revocation.revoked_at)}"


def _left(facts: "CertificateFacts", now: datetime) -> str:
    left = facts.not_after - now
    return "ended" if left <= timedelta() else f"in {left.days} days"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
