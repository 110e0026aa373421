"""Moves a farm that serves to what this machine has installed, without a failed request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.core.errors import ConfigurationError
from farm.core.ports import CLUSTER_BASES
from farm.inventory import Host
from playbooks import layout, services
from playbooks.commands import Run
from playbooks.deployment import Deployment, Order, Report, prepare
from playbooks.facts.installation import INSTALLATION
from playbooks.facts.ray_runtime import RayRuntime
from playbooks.instances import Instances, other
from playbooks.rollout import GO_BACK, Rollout, RolloutSettings
from playbooks.runner import Runner
from playbooks.steps.base import Step
from playbooks.steps.files import absent
from playbooks.steps.services import stopped, waited_for
from playbooks.steps.software import pruned
from playbooks.transport import HostError
from playbooks.verification import await_nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One upgrade; run again after any interruption, it goes on where it stopped.

    Where Ray and Python stay the same, a new gateway takes over from the old one and the nodes
    follow one by one. Where they do not, or the head itself has to change, a second cluster is
    brought up beside the first, on other ports, and the nodes move over one by one; the new
    gateway takes over once enough of them have.
    """

    order: Order
    runner: Runner
    rollout: RolloutSettings

    def run(self) -> Report:
        """Carry it out; the first host that is not well afterwards ends it.

        Raises:
            ConfigurationError: the farm does not serve, or this machine's own files are wrong.
        """
        report = Report()
        farm = prepare(self.order, self.runner, report)
        lost = [host.name for host in self.runner.hosts if not self.runner.records[host.name].going]
        if lost:
            for host in self.runner.going:
                self.runner.skip(host, f"{', '.join(lost)} cannot be upgraded")
            return report
        before, ran = farm.instances(), self._releases()
        if not before.serving or not before.leading:
            raise ConfigurationError(
                f"the farm {self.order.inventory.farm.name} does not serve, so there is nothing to"
                " upgrade; `farm bootstrap` brings it up"
            )
        farm.bring_revocations()
        # It goes on to serve wherever this ends: that is what the order of things is for.
        report.serves = True
        farm.bring_models()
        farm.bring_tokens()
        report.notes += farm.taken_out()
        if self._fits(farm, before):
            whole = self._in_place(farm, before.cluster)
        else:
            whole = self._over_second_cluster(farm, before)
        if not whole or self.runner.settings.dry_run:
            return report
        self._clean_up(farm, ran)
        farm.prove(report)
        return report

    def _fits(self, farm: Deployment, before: Instances) -> bool:
        """Say whether the head that runs can stay as it is."""
        head, cluster = farm.head, before.cluster
        release = farm.releases[head.name]
        (ray,) = (pin.version for pin in release.pins if pin.name == "ray")
        wanted = RayRuntime(python=release.target.python_version, ray=ray)
        same = before.runtimes[cluster] == wanted
        # A head that serves runs the farm's own code too.
        own = not head.role.serves or before.runs.get(f"head-{cluster}") == release.id
        settled = not self.runner.would_change(
            lambda host: farm.shelf.head(host, before.runs[f"head-{cluster}"], cluster), [head]
        )
        return same and own and settled and not before.heads[cluster].stale

    def _in_place(self, farm: Deployment, cluster: str) -> bool:
        farm.start_gateway(cluster)
        stale = farm.stale_nodes(cluster)
        if stale:
            farm.await_handover()
        return farm.leads() and self._roll(farm, stale, cluster)

    def _over_second_cluster(self, farm: Deployment, before: Instances) -> bool:
        runner, old = self.runner, before.cluster
        new = other(old)
        release = farm.releases[farm.head.name].id
        self.order.supplies.tell(f"bringing up cluster {new} beside cluster {old}")
        farm.start_head(new, release)
        if not farm.leads():
            return False
        moving = farm.stale_nodes(new)
        everybody = len(farm.nodes()) + farm.head.role.serves
        there = everybody - len(moving)
        # So many of all nodes must have gone over before clients do.
        enough = max(self.rollout.floor * everybody, 1)
        first = [host for number, host in enumerate(moving) if there + number < enough]
        if not self._roll(farm, first, new, stays=False):
            return False
        self.order.supplies.tell("the new gateway takes over")
        farm.start_gateway(new)
        if not farm.leads():
            return False
        if not self._arrived(farm, first):
            return False
        # Nothing is sent to the other nodes any more once the old gateway has let its last
        # client go.
        runner.phase(lambda _: [waited_for(services.gateway(before.gateway).unit)], [farm.head])
        rest = [host for host in moving if host not in first]
        runner.phase(lambda host: farm.node_steps(host, new, anew=True), rest)
        return all(runner.records[host.name].going for host in (*rest, farm.head))

    def _arrived(self, farm: Deployment, moved: Sequence[Host]) -> bool:
        """Say whether nodes serve behind the new gateway; give up those that do not."""
        if self.runner.settings.dry_run:
            return True
        names = [host.name for host in moved]
        late = await_nodes(farm.gateway, names, tell=self.order.supplies.tell)
        for host in moved:
            if host.name in late:
                error = f"{host.name}: it does not serve in the second cluster: {late[host.name]}"
                self.runner.give_up(host, HostError(error, fix=GO_BACK))
        return not late

    def _roll(
        self, farm: Deployment, hosts: Sequence[Host], cluster: str, *, stays: bool = True
    ) -> bool:
        def change(host: Host) -> Sequence[Step]:
            return farm.node_steps(host, cluster, anew=True)

        if self.runner.settings.dry_run:
            self.runner.phase(change, hosts)
            return True
        rollout = Rollout(
            self.runner, farm.gateway, settings=self.rollout, tell=self.order.supplies.tell
        )
        return rollout.roll(hosts, change, go_back=GO_BACK, stays=stays)

    def _clean_up(self, farm: Deployment, ran: Mapping[str, frozenset[str]]) -> None:
        """End the head that leads nothing any more; remove what nobody goes back to."""
        unused = other(farm.instances().cluster)
        # Tables of a cluster that has ended would be taken for the next one's on its ports.
        tables = Run(text=f"rm -rf {layout.GCS}/{CLUSTER_BASES[unused]}-*", sudo=True)
        self.runner.phase(
            lambda _: (
                stopped([services.head(unused).unit]),
                absent(
                    "old cluster",
                    [layout.head_config(unused), layout.link(f"head-{unused}")],
                    then=[tables],
                ),
            ),
            [farm.head],
        )
        now = self._releases()
        # Those of before stay, to go back to, until the next upgrade.
        changed = [host for host in self.runner.going if now[host.name] != ran[host.name]]
        self.runner.phase(lambda host: [pruned(now[host.name] | ran[host.name])], changed)

    def _releases(self) -> Mapping[str, frozenset[str]]:
        """Return the releases that each host's services run."""
        known = self.runner.read(lambda _: [INSTALLATION])
        return {name: frozenset(facts[INSTALLATION].runs.values()) for name, facts in known.items()}
