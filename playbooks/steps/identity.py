"""Who a host is: its certificate, and the secret of the farm's Ray cluster."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from farm.core.identities import Identity, IdentityKind
from farm.pki import Authority
from playbooks import layout
from playbooks.commands import Command, Put
from playbooks.facts.base import Facts
from playbooks.facts.files import Kind, file_state, file_text
from playbooks.steps.base import Step
from playbooks.steps.files import Folder, digest_of, files, folders
from playbooks.transport import HostError

_CERTIFICATE = file_text(layout.CERTIFICATE)
_AUTHORITY = file_state(layout.CA)
_KEY = file_state(layout.KEY)

# Of secrets: the services read them, and nobody but root beside them.
_SECRET, _SERVICES = 0o600, f"{layout.USER}:{layout.USER}"


def trusted(host: str, authority: Authority, token: bytes) -> Sequence[Step]:
    """Return the steps that bring what is the same on all hosts: the CA and Ray's secret."""
    return (
        _nobody_elses(host, authority),
        folders("trust folder", [Folder(path=layout.TLS, mode=0o750, owner=f"root:{layout.USER}")]),
        files(
            "trust",
            [
                Put(content=authority.certificate_pem, to=layout.CA),
                Put(content=token, to=layout.RAY_TOKEN, mode=_SECRET, owner=_SERVICES),
            ],
        ),
    )


def _nobody_elses(host: str, authority: Authority) -> Step:
    """Return the step that refuses a host of a farm that another machine bootstraps."""

    def plan(facts: Facts) -> Iterator[Command]:
        there = facts[_AUTHORITY]
        if there.exists and there.sha256 != digest_of(authority.certificate_pem):
            raise HostError(
                f"{host}: it belongs to a farm whose CA is not that of '{authority.farm}' here",
                fix="bootstrap it from the machine that has that CA; if that farm is no more,"
                f" `sudo rm {layout.CA}` there and run this again",
            )
        yield from ()

    return Step(name="farm", reads=[_AUTHORITY], plan=plan)


def certificate(
    name: str,
    authority: Authority,
    *,
    now: datetime,
    addresses: Sequence[str],
    names: Sequence[str],
) -> Step:
    """Return the step that issues a host's certificate, and again when it is due.

    The key travels over SSH once and is kept nowhere else.
    """
    identity = Identity(authority.farm, IdentityKind.NODE, name)

    def plan(facts: Facts) -> Iterator[Command]:
        there = (facts[_CERTIFICATE] or "").encode()
        key = facts[_KEY]
        as_wanted = (key.kind, key.mode, key.owner) == (Kind.FILE, _SECRET, _SERVICES)
        due = authority.due(there, identity, now=now, addresses=addresses, names=names)
        if not due and as_wanted:
            return
        issued = authority.issue(identity, now=now, addresses=addresses, names=names)
        # The key first: a sound certificate then never lies beside an older key.
        yield Put(content=issued.key_pem, to=layout.KEY, mode=_SECRET, owner=_SERVICES)
        yield Put(content=issued.certificate_pem, to=layout.CERTIFICATE)

    return Step(name="certificate", reads=[_CERTIFICATE, _KEY], plan=plan)
