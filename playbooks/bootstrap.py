"""Turns bare hosts into a farm that serves; run again it completes what is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from farm.contexts import FarmHome
from farm.core.addresses import joined
from farm.inventory import Host, Inventory, Role, Tls
from playbooks import services, units
from playbooks.addresses import ip_addresses
from playbooks.credentials import Credentials, context_of
from playbooks.doctor.examination import Examination
from playbooks.doctor.table import FITNESS
from playbooks.facts.cpu import CPU
from playbooks.facts.files import file_text
from playbooks.facts.installation import INSTALLATION
from playbooks.facts.memory import MEMORY
from playbooks.facts.services import ServiceState, service_state
from playbooks.findings import Finding, errors
from playbooks.installation import Supplies, install
from playbooks.layout import LETTERS, gateway_config
from playbooks.release import Release
from playbooks.rollout import Rollout, RolloutSettings
from playbooks.runner import Runner
from playbooks.services import Service
from playbooks.shelf import Shelf, known_nodes
from playbooks.steps.base import Step
from playbooks.steps.services import handed_over, mounted, started
from playbooks.transport import HostError
from playbooks.verification import Gateway, Verification, verify

_MB = 1_000_000


@dataclass(slots=True, kw_only=True)
class Report:
    """What a bootstrap found and did, beside the runner's records of the hosts.

    `notes` are what the operator should know and that is nobody's failure.
    """

    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    releases: Mapping[str, Release] = field(default_factory=dict)
    verification: Verification | None = None
    notes: list[str] = field(default_factory=list)


class Bootstrap:
    """One bootstrap of an inventory's farm over the hosts of a runner."""

    def __init__(
        self,
        inventory: Inventory,
        runner: Runner,
        *,
        home: FarmHome,
        supplies: Supplies,
        models: Path,
        sudo_password: bool,
    ) -> None:
        self._inventory = inventory
        self._runner = runner
        self._home = home
        self._supplies = supplies
        self._models = models
        self._sudo_password = sudo_password
        self._report = Report()

    def run(self) -> Report:
        """Carry it out, as far as each host goes.

        Raises:
            ConfigurationError: the inventory or this machine's own files do not allow it.
        """
        addresses = ip_addresses(self._inventory.hosts)
        now = datetime.now(tz=UTC)
        credentials = Credentials.kept(self._home, self._inventory.farm.name, now=now)
        self._examine()
        self._report.releases = install(self._runner, self._supplies)
        facts = self._runner.read(lambda _: [MEMORY])
        shelf = Shelf(
            inventory=self._inventory,
            credentials=credentials,
            addresses=addresses,
            memory_mb={
                name: total // _MB
                for name, known in facts.items()
                if (total := known[MEMORY].total_bytes) is not None
            },
            now=now,
        )
        self._serve(shelf)
        return self._report

    def _examine(self) -> None:
        """Give up hosts that cannot serve, each with what is wrong and its fix."""
        examination = Examination(
            farm=self._inventory.farm, checks=FITNESS, sudo_password=self._sudo_password
        )
        self._report.findings = examination.examine(self._runner)
        for host in self._runner.going:
            found = errors(self._report.findings[host.name])
            if found:
                more = f" (and {len(found) - 1} more: `farm doctor`)" if len(found) > 1 else ""
                self._runner.give_up(
                    host, HostError(f"{host.name}: {found[0].meaning}{more}", fix=found[0].fix)
                )

    def _serve(self, shelf: Shelf) -> None:
        """Start what is installed: the head, then the nodes, then the gateway over them."""
        runner, head = self._runner, self._inventory.head
        cluster = self._start_head(shelf)
        if not runner.records[head.name].going:
            for host in runner.going:
                runner.skip(host, f"the head {head.name} does not run")
            return
        stale = self._start_nodes(shelf, cluster)
        self._start_gateway(shelf, cluster)
        if runner.settings.dry_run or not runner.records[head.name].going:
            return
        gateway = self._gateway(shelf)
        self._home.write(context_of(self._inventory, shelf.credentials, gateway.address))
        self._home.use(self._inventory.farm.name)
        rollout = Rollout(runner, gateway, settings=RolloutSettings(), tell=self._supplies.tell)
        rollout.roll(
            stale, lambda host: self._node_steps(shelf, host, cluster, anew=True), go_back=""
        )
        self._verify(gateway)

    def _start_head(self, shelf: Shelf) -> str:
        """Bring the head up if it does not run; return the letter of the cluster it leads.

        One that runs keeps its release: the cluster lives in it.
        """
        runner, head = self._runner, self._inventory.head
        states = self._states(services.head)
        cluster = _in_use(states)
        if runner.records[head.name].going:
            running = states[cluster].active
            installed = runner.read(lambda _: [INSTALLATION])[head.name][INSTALLATION]
            own = installed.runs.get(f"head-{cluster}") if running else None
            release = own or self._report.releases[head.name].id
            runner.phase(
                lambda host: (
                    *shelf.head(host, release, cluster),
                    *_base(),
                    started(services.head(cluster)),
                ),
                [head],
            )
            if running and self._states(services.head)[cluster].stale:
                self._report.notes.append(
                    f"{head.name}: Ray's head runs with settings or certificates that have changed"
                    " since; `farm upgrade` brings them in without a pause"
                )
        return cluster

    def _start_nodes(self, shelf: Shelf, cluster: str) -> Sequence[Host]:
        """Start the nodes that do not run; return those that run with what was there before."""
        runner = self._runner
        nodes = [host for host in runner.going if host.role is Role.NODE]
        fact = service_state(services.node())
        states = runner.read(lambda host: [fact] if host in nodes else [])
        running = [host for host in nodes if host.name in states and states[host.name][fact].active]
        fresh = [host for host in nodes if host not in running]
        runner.phase(lambda host: self._node_steps(shelf, host, cluster, anew=False), fresh)
        changing = runner.would_change(
            lambda host: self._node_steps(shelf, host, cluster, anew=True), running
        )
        return [host for host in running if host.name in changing]

    def _node_steps(self, shelf: Shelf, host: Host, cluster: str, *, anew: bool) -> Sequence[Step]:
        return (
            *shelf.node(host, self._report.releases[host.name].id, cluster),
            *_base(),
            started(services.node(), anew=anew),
        )

    def _start_gateway(self, shelf: Shelf, cluster: str) -> None:
        """Start the gateway, or let another instance take over if what it reads has changed."""
        runner, head = self._runner, self._inventory.head
        letter = _in_use(self._states(services.gateway))
        if not runner.records[head.name].going:
            return
        running = self._states(services.gateway)[letter].active
        text = file_text(gateway_config(letter))
        known = known_nodes(
            runner.read(lambda host: [text] if host == head else [])[head.name][text]
        )
        cores = runner.read(lambda _: [CPU])
        serving = {
            host.name: cores[host.name][CPU].cores or 1 for host in runner.going if host.role.serves
        }
        release = self._report.releases[head.name].id

        def steps(letter: str) -> Sequence[Step]:
            return shelf.gateway(
                release, cluster=cluster, letter=letter, nodes={**known, **serving}
            )

        runner.phase(lambda _: shelf.models(self._models), [head])
        current = (*steps(letter), started(services.gateway(letter), anew=True))
        if running and runner.would_change(lambda _: current, [head]):
            other = next(each for each in LETTERS if each != letter)
            runner.phase(
                lambda _: (
                    *steps(other),
                    handed_over(services.gateway(letter), services.gateway(other)),
                ),
                [head],
            )
        elif not running:
            runner.phase(lambda _: current, [head])

    def _states(self, service: Callable[[str], Service]) -> Mapping[str, ServiceState]:
        """Return how the head's instances of a service fare, by letter."""
        head = self._inventory.head
        facts = {letter: service_state(service(letter)) for letter in LETTERS}
        known = self._runner.read(lambda host: list(facts.values()) if host == head else [])
        if head.name not in known:
            return {}
        return {letter: known[head.name][fact] for letter, fact in facts.items()}

    def _gateway(self, shelf: Shelf) -> Gateway:
        farm = self._inventory.farm
        host, _, port = farm.gateway.grpc.rpartition(":")
        # Where it listens on all addresses, by the one that everybody knows.
        if host in ("0.0.0.0", "[::]"):  # noqa: S104
            host = shelf.addresses[self._inventory.head.name]
        tls = None if farm.gateway.tls is Tls.OFF else shelf.credentials.tls
        return Gateway(address=joined(host, int(port)), tls=tls)

    def _verify(self, gateway: Gateway) -> None:
        """Wait for the nodes, and give up those that do not serve."""
        nodes = {host.name: host for host in self._runner.going if host.role.serves}
        found = verify(gateway, nodes, self._models, tell=self._supplies.tell)
        self._report.verification = found
        for name, reason in found.not_ready.items():
            self._runner.give_up(
                nodes[name],
                HostError(
                    f"{name}: it runs and does not serve: {reason}",
                    fix=f"its last words: `journalctl -u farm-node` there; `farm doctor --limit"
                    f" {name}` may say more",
                ),
            )


def _base() -> Sequence[Step]:
    """Return the steps that start what every service stands on."""
    return started(services.firewall(), anew=True), mounted(units.RAY_MOUNT)


def _in_use(states: Mapping[str, ServiceState]) -> str:
    """Return the letter that runs, else the one that is to run at a boot, else the first."""
    running = [letter for letter, state in states.items() if state.active]
    enabled = [letter for letter, state in states.items() if state.unit.enabled]
    both = [letter for letter in running if letter in enabled]
    return (both or running or enabled or list(LETTERS))[0]
