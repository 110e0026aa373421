"""Who may reach a gateway: where it listens, by which certificates and tokens callers are known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from platformdirs import user_state_path

from farm.config import ClientCertificates, FarmConfig, OperatorsConfig, TlsConfig
from farm.core.addresses import on_loopback
from farm.core.clock import Clock
from farm.frontend.callers import Callers
from farm.frontend.scraping import ScrapeAdmission
from farm.frontend.server import Listening
from farm.frontend.tls import TlsSettings
from farm.frontend.tokens import TokenFile
from farm.metrics.scrapers import ScrapeAccess

if TYPE_CHECKING:
    from farm.frontend.certificates import Certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The parts of one gateway that decide it; they share what is known of callers.

    `tls` is of the first address, None where nothing is encrypted. `certificates` are None where
    no address asks for any, `scrapers` where only this machine can scrape.
    """

    tls: TlsSettings | None
    operators: Listening | None
    certificates: "Certificates | None"
    callers: Callers
    scrapers: ScrapeAccess | None

    @classmethod
    def of(cls, config: FarmConfig, clock: Clock) -> Self:
        """Return them as a configuration asks.

        Raises:
            ConfigurationError: certificates or tokens cannot be read.
        """
        tls = _tls(config.tls)
        tokens = TokenFile(config.tokens, clock) if config.tokens is not None else None
        certificates = _certificates(config, clock)
        scrapers = None
        if tls is not None and not on_loopback(config.metrics):
            scrapers = ScrapeAccess(
                certificate=tls.certificate,
                key=tls.key,
                clients_ca=tls.clients_ca,
                admits=ScrapeAdmission(tokens=tokens, certificates=certificates),
            )
        return cls(
            tls=tls,
            operators=_listening(config.operators),
            certificates=certificates,
            callers=Callers(farm=config.name, certificates=certificates, tokens=tokens),
            scrapers=scrapers,
        )


def _tls(tls: TlsConfig | None) -> TlsSettings | None:
    if tls is None:
        return None
    asked = tls.clients is ClientCertificates.REQUIRED
    return TlsSettings(
        certificate=tls.certificate, key=tls.key, clients_ca=tls.ca if asked else None
    )


def _listening(operators: OperatorsConfig | None) -> Listening | None:
    if operators is None:
        return None
    tls = TlsSettings(certificate=operators.certificate, key=operators.key, clients_ca=operators.ca)
    return Listening(address=operators.grpc, tls=tls)


def _certificates(config: FarmConfig, clock: Clock) -> "Certificates | None":
    if config.certificates_ca is None:
        return None
    # Of an extra of its own, which a farm without certificates need not import.
    from farm.frontend.certificates import Certificates

    return Certificates(
        ca=config.certificates_ca,
        published=config.revocations,
        kept_in=config.state_dir or user_state_path("bramble-farm"),
        clock=clock,
    )
