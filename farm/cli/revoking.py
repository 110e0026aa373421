"""`farm certs revoke`: certificates that are let in no more."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.connecting import admin_client
from farm.cli.exits import Exit, farm_errors
from farm.cli.homes import farm_here
from farm.cli.issued_certificates import kept_certificates
from farm.cli.options import Context, Output, OutputFormat
from farm.core.errors import ConfigurationError, FarmError, UnsupportedError
from farm.core.revocations import RevocationReason

if TYPE_CHECKING:
    from farm.contexts import FarmFolder
    from farm.pki import CertificateFacts

# As many hexadecimal digits tell a farm's certificates apart.
_FINGERPRINT_DIGITS = 8


def revoke(
    who: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FINGERPRINT",
            help="Whose certificates, all of them; or one, by 8 digits or more of what `ls` shows.",
        ),
    ],
    reason: Annotated[
        RevocationReason, typer.Option(help="Why; callers that are refused are told.")
    ] = RevocationReason.UNSPECIFIED,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Let certificates in no more, from now on and for good, and tell the gateway at once.

    A gateway that does not answer is told by the next `farm bootstrap`, or when this is run
    again.
    """
    with farm_errors():
        from farm.cli.tables import print_json, print_table
        from farm.pki import REVOCATIONS_FILE, Authority
        from farm.pki import revoke as put_on_list

        home, farm = farm_here(context)
        folder = home.folder(farm)
        authority = Authority.load(folder.authority)
        found = _found(folder, who)
        put_on_list(
            authority,
            folder.authority,
            [facts.serial for facts in found],
            reason=reason,
            now=datetime.now(UTC),
        )
        untold = _tell(farm, (folder.authority / REVOCATIONS_FILE).read_bytes())
        if output is Output.JSON:
            print_json(
                "revoked",
                {
                    "certificates": [
                        {"identity": _uri(facts), "fingerprint": facts.fingerprint}
                        for facts in found
                    ],
                    "gateway_told": untold is None,
                },
            )
        else:
            print_table(
                f"Revoked in {farm}",
                ("identity", "fingerprint"),
                [(_uri(facts), facts.fingerprint[:16]) for facts in found],
            )
        if _own(folder) in {facts.fingerprint for facts in found}:
            sys.stderr.write(
                "this machine's own certificate is among them: `farm bootstrap` makes a new one\n"
            )
        if untold is not None:
            sys.stderr.write(f"farm: revoked here, and the gateway lets them in still: {untold}\n")
            raise SystemExit(Exit.PARTLY_FAILED)


def _found(folder: "FarmFolder", who: str) -> Sequence["CertificateFacts"]:
    """Return the certificates that are meant.

    Raises:
        ConfigurationError: none is.
    """
    from farm.pki import inspect

    known = [
        inspect(path.read_bytes(), str(path))
        for what, path in kept_certificates(folder)
        if what != "CA"
    ]
    digits = who.lower().replace(":", "")
    found = [
        facts
        for facts in known
        if (facts.identity is not None and facts.identity.name == who)
        or (len(digits) >= _FINGERPRINT_DIGITS and facts.fingerprint.startswith(digits))
    ]
    if not found:
        raise ConfigurationError(
            f"no certificate was issued here for '{who[:80]}', nor has one that fingerprint;"
            " `farm certs ls` lists them. A machine's goes with the machine: `farm uninstall"
            " --limit NAME`"
        )
    return found


def _tell(farm: str, list_pem: bytes) -> str | None:
    """Tell the farm's gateway; return why it does not know now, None if it does."""
    try:
        with admin_client(None, farm) as admin:
            admin.revoke(list_pem)
    except UnsupportedError as error:
        return (
            f"{error.message}; one of a version before this has no revocations: `farm upgrade`"
            " brings it this one"
        )
    except FarmError as error:
        return f"{error.message}; run this again, or `farm bootstrap`, which brings it the list"
    return None


def _own(folder: "FarmFolder") -> str:
    from farm.pki import inspect

    if not folder.operator_certificate.exists():
        return ""
    return inspect(folder.operator_certificate.read_bytes()).fingerprint


def _uri(facts: "CertificateFacts") -> str:
    return facts.identity.uri if facts.identity else "-"
