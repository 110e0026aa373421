"""What bootstrap and upgrade share: a farm's services are brought up, handed over and proved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from farm.contexts import FarmHome
from farm.core.addresses import joined
from farm.core.errors import FarmError
from farm.inventory import Host, Inventory, Role, Tls
from playbooks import services
from playbooks.addresses import ip_addresses
from playbooks.credentials import Credentials
from playbooks.doctor.examination import Examination
from playbooks.doctor.table import FITNESS
from playbooks.facts.cpu import CPU
from playbooks.facts.memory import MEMORY
from playbooks.facts.services import service_state
from playbooks.findings import Finding, errors
from playbooks.installation import Supplies, install
from playbooks.instances import Instances, other, read_instances
from playbooks.release import Release
from playbooks.runner import Runner
from playbooks.shelf import Shelf
from playbooks.steps.base import Step
from playbooks.steps.services import handed_over, left, started, waited_for
from playbooks.transport import HostError
from playbooks.verification import Gateway, Verification, verify

_MB = 1_000_000


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run found and did, beside the runner's records of the hosts.

    `serves` says that the farm is known to answer requests, whatever became of single hosts.
    `notes` are what the operator should know and that is nobody's failure.
    """

    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    verification: Verification | None = None
    serves: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator wants: this inventory's farm, with these models.

    `models` is a repository on the operator's machine, None to leave the farm's as they are.
    """

    inventory: Inventory
    home: FarmHome
    supplies: Supplies
    models: Path | None
    sudo_password: bool


class Deployment:
    """One run over the hosts of a runner; made by `prepare`, which examines and installs."""

    def __init__(
        self, order: Order, runner: Runner, shelf: Shelf, releases: Mapping[str, Release]
    ) -> None:
        self._order = order
        self.runner = runner
        self.shelf = shelf
        self.releases = releases

    @property
    def head(self) -> Host:
        return self._order.inventory.head

    def leads(self) -> bool:
        """Say whether the head goes on."""
        return self.runner.records[self.head.name].going

    @property
    def gateway(self) -> Gateway:
        """How an operator reaches the gateway."""
        gateway = self._order.inventory.farm.gateway
        # gRPC asks all clients of an address for certificates or none.
        listens = gateway.grpc if gateway.tls is Tls.MUTUAL else gateway.operators
        host, _, port = listens.rpartition(":")
        # Where it listens on all addresses, by the one that everybody knows.
        if host in ("0.0.0.0", "[::]"):  # noqa: S104
            host = self.shelf.addresses[self.head.name]
        return Gateway(address=joined(host, int(port)), tls=self.shelf.credentials.tls)

    def nodes(self) -> list[Host]:
        """Return the hosts that go on and serve without leading."""
        return [host for host in self.runner.going if host.role is Role.NODE]

    def instances(self) -> Instances:
        return read_instances(self.runner, self.head)

    def start_head(self, cluster: str, release: str) -> None:
        """Bring up the head of a cluster. One that runs is left running."""
        self.runner.phase(
            lambda host: (
                *self.shelf.head(host, release, cluster),
                *self.shelf.ground(),
                started(services.head(cluster)),
            ),
            [self.head],
        )

    def node_steps(self, host: Host, cluster: str, *, anew: bool) -> Sequence[Step]:
        """Return what brings a node up in a cluster; `anew` also where it runs otherwise."""
        return (
            *self.shelf.node(host, self.releases[host.name].id, cluster),
            *self.shelf.ground(),
            started(services.node(), anew=anew),
        )

    def running_nodes(self) -> list[Host]:
        """Return the nodes whose service is up, with whatever."""
        fact = service_state(services.node())
        nodes = self.nodes()
        states = self.runner.read(lambda host: [fact] if host in nodes else [])
        return [host for host in nodes if host.name in states and states[host.name][fact].active]

    def stale_nodes(self, cluster: str) -> list[Host]:
        """Return the nodes that do not run as they would in this cluster now."""
        nodes = self.nodes()
        changing = self.runner.would_change(
            lambda host: self.node_steps(host, cluster, anew=True), nodes
        )
        return [host for host in nodes if host.name in changing]

    def taken_out(self) -> list[str]:
        """Return what to tell of nodes that the gateway knows and the inventory does not."""
        named = {host.name for host in self._order.inventory.hosts}
        return [
            f"{name}: the inventory does not name it any more, so it gets no requests; where the"
            " farm was not removed from it before, it still has the farm's secrets: run `farm"
            f" uninstall --limit {name}` with an inventory that names it"
            for name in self.instances().nodes
            if name not in named
        ]

    def bring_revocations(self) -> None:
        self.runner.phase(lambda _: self.shelf.revocations(), [self.head])

    def bring_models(self) -> None:
        models = self._order.models
        if models is not None:
            self.runner.phase(lambda _: self.shelf.models(models), [self.head])

    def bring_tokens(self) -> None:
        self.runner.phase(lambda _: self.shelf.tokens(), [self.head])

    def start_gateway(self, cluster: str) -> None:
        """Start the gateway over a cluster, or have one take over from the one that runs.

        Nothing happens to one that runs with all that it would read now.
        """
        runner, now = self.runner, self.instances()
        nodes = self._cores(now)
        release = self.releases[self.head.name].id

        def steps(letter: str) -> Sequence[Step]:
            return self.shelf.gateway(release, cluster=cluster, letter=letter, nodes=nodes)

        current = (*steps(now.gateway), started(services.gateway(now.gateway), anew=True))
        if not now.serving:
            runner.phase(lambda _: current, [self.head])
        elif runner.would_change(lambda _: current, [self.head]):
            new = other(now.gateway)
            change = handed_over(services.gateway(now.gateway), services.gateway(new))
            runner.phase(lambda _: (*steps(new), change), [self.head])
        else:
            # A run that was interrupted in a handover may not have told the old one.
            runner.phase(lambda _: [left(services.gateway(other(now.gateway)))], [self.head])

    def await_handover(self) -> None:
        """Wait until a gateway that was told to leave has ended.

        It would bring up a node that starts anew as it knows it, not as the new one does.
        """
        old = services.gateway(other(self.instances().gateway))
        self.runner.phase(lambda _: [waited_for(old.unit)], [self.head])

    def prove(self, report: Report) -> None:
        """Keep how the farm is reached, wait for its nodes, run its goldens."""
        order, gateway = self._order, self.gateway
        order.home.write(self.shelf.credentials.context(gateway.address))
        order.home.use(order.inventory.farm.name)
        nodes = {host.name: host for host in self.runner.going if host.role.serves}
        try:
            found = verify(gateway, nodes, order.models, tell=order.supplies.tell)
        except FarmError as error:
            self.runner.give_up(
                self.head,
                HostError(
                    f"{self.head.name}: its gateway at {gateway.address} does not serve this"
                    f" machine: {error.message}",
                    fix="its last words: `journalctl -u 'farm-gateway@*'` there",
                ),
            )
            return
        report.verification, report.serves = found, found.serves
        for name, reason in found.not_ready.items():
            unit = services.head("a").unit if nodes[name].role.leads else services.node().unit
            self.runner.give_up(
                nodes[name],
                HostError(
                    f"{name}: it runs and does not serve: {reason}",
                    fix=f"its last words: `journalctl -u {unit}` there; `farm doctor --limit"
                    f" {name}` may say more",
                ),
            )

    def _cores(self, now: Instances) -> Mapping[str, int]:
        """Return the nodes that a gateway is to have: those it knew, and those that go on."""
        known = self.runner.read(lambda _: [CPU])
        asked = {
            host.name: known[host.name][CPU].cores or 1
            for host in self.runner.going
            if host.role.serves
        }
        return {**now.nodes, **asked}


def prepare(order: Order, runner: Runner, report: Report) -> Deployment:
    """Examine the hosts and install what is needed, without touching what runs.

    Raises:
        ConfigurationError: the inventory or this machine's own files do not allow it.
    """
    inventory = order.inventory
    addresses = ip_addresses(inventory.hosts)
    now = datetime.now(tz=UTC)
    credentials = Credentials.kept(order.home, inventory.farm.name, now=now)
    report.findings = _examine(order, runner)
    releases = install(runner, order.supplies, firewall=inventory.farm.firewall)
    facts = runner.read(lambda _: [MEMORY])
    shelf = Shelf(
        inventory=inventory,
        credentials=credentials,
        addresses=addresses,
        memory_mb={
            name: total // _MB
            for name, known in facts.items()
            if (total := known[MEMORY].total_bytes) is not None
        },
        now=now,
    )
    return Deployment(order, runner, shelf, releases)


def _examine(order: Order, runner: Runner) -> Mapping[str, Sequence[Finding]]:
    """Give up hosts that cannot serve, each with what is wrong and its fix."""
    examination = Examination(
        farm=order.inventory.farm, checks=FITNESS, sudo_password=order.sudo_password
    )
    findings = examination.examine(runner)
    for host in runner.going:
        found = errors(findings[host.name])
        if found:
            more = f" (and {len(found) - 1} more: `farm doctor`)" if len(found) > 1 else ""
            runner.give_up(
                host, HostError(f"{host.name}: {found[0].meaning}{more}", fix=found[0].fix)
            )
    return findings
