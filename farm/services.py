"""What clients and operators may call on a gateway, wired to the parts that answer them."""

from farm.access import Access
from farm.config import FarmConfig
from farm.core.clock import Clock
from farm.core.pool import WorkerPool
from farm.economy import Economy
from farm.engine.calibration import Calibrator
from farm.engine.cordons import Cordons
from farm.engine.events import EventLog
from farm.engine.history import History
from farm.engine.node_descriptions import NodeDescriptions
from farm.engine.restarts import Restarts
from farm.frontend.admin_service import AdminService
from farm.frontend.inference_service import InferenceService
from farm.frontend.ledger_service import LedgerService
from farm.frontend.log_service import LogService
from farm.frontend.node_service import NodeService
from farm.frontend.repository_service import RepositoryService
from farm.frontend.revocation_service import RevocationService
from farm.frontend.server import Frontend, FrontendSettings
from farm.frontend.terms_service import TermsService
from farm.frontend.watch_service import WatchService
from farm.logs import LogSwitches
from farm.metrics.prometheus import PrometheusObserver
from farm.parts import Parts

# With handover clients connect anew this often, and that is how long an old gateway lingers.
_CONNECTION_AGE_S = 30.0


def frontend_of(
    config: FarmConfig,
    parts: Parts,
    *,
    pool: WorkerPool,
    access: Access,
    inference: InferenceService,
    economy: Economy,
    events: EventLog,
    history: History,
    observer: PrometheusObserver,
    clock: Clock,
    log: LogSwitches,
) -> Frontend:
    """Wire every service to what answers it; nothing listens yet.

    Raises:
        ConfigurationError: TLS or a handover are not to be had as configured.
    """
    engine, fleet = parts.engine, parts.fleet
    calibrator = Calibrator(
        pool=pool,
        engine=engine,
        fleet=fleet,
        hosts=economy.hosts,
        calibrations=economy.calibrations,
        clock=clock,
    )
    nodes = NodeDescriptions(
        engine=engine,
        fleet=fleet,
        descriptions=parts.descriptions,
        snapshots=parts.snapshots,
        clock=clock,
    )
    return Frontend(
        FrontendSettings(
            address=config.grpc,
            tls=access.tls,
            operators=access.operators,
            connection_age_s=_CONNECTION_AGE_S if config.handover else None,
            max_receive_bytes=config.max_message_bytes,
            max_connections=config.max_connections,
        ),
        inference=inference,
        repository=RepositoryService(control=parts.control, snapshots=parts.snapshots, log=log),
        admin=(
            AdminService(parts.snapshots, parts.descriptions, calibrator),
            NodeService(
                descriptions=nodes,
                cordons=Cordons(pool=pool, engine=engine, fleet=fleet),
                restarts=Restarts(pool=pool, engine=engine, fleet=fleet),
            ),
            LogService(pool=pool, gateway=log.recent),
            LedgerService(economy.ledger, clock=clock),
            TermsService(economy.terms, clock=clock),
            RevocationService(access.certificates),
            WatchService(events=events, history=history),
        ),
        callers=access.callers,
        observer=observer,
        on_act=lambda act: events.post(act.happening),
    )
