"""Changes nodes of a farm that serves, one at a time, without a request that fails for it."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from farm.client import AdminClient
from farm.core.errors import FarmError
from farm.inventory import Host
from playbooks.runner import Runner
from playbooks.steps.base import Step
from playbooks.steps.draining import marked, stopped_and_released
from playbooks.transport import HostError
from playbooks.verification import Gateway, await_nodes

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import NodeSnapshot

GO_BACK: Final = (
    "To go back, install the farm's version of before on this machine and run `farm upgrade`: its"
    " release is still on the hosts."
)

_DRAIN_S = 120.0
_LOOK_S = 0.3
_READY = "ready"
_ABSENT = ("lost", "joining")
# Within this, a node's next heartbeat has told every gateway that it is cordoned.
_SETTLE_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """`floor` is the share of the nodes that must go on serving, 0 to 1."""

    floor: float = 0.5
    drain_s: float = _DRAIN_S


class Rollout:
    """One node after the other: drained, changed, waited for; it ends at the first bad one.

    An operator's cordon stays; an interrupted rollout's own does not.
    """

    def __init__(
        self,
        runner: Runner,
        gateway: Gateway,
        *,
        settings: RolloutSettings,
        tell: Callable[[str], None],
    ) -> None:
        self._runner = runner
        self._gateway = gateway
        self._settings = settings
        self._tell = tell

    def roll(
        self,
        hosts: Sequence[Host],
        change: Callable[[Host], Sequence[Step]],
        *,
        go_back: str,
        stays: bool = True,
    ) -> bool:
        """Change these hosts; return whether all of them are well afterwards.

        `change` ends with the step that starts the node. A node that `stays` with the gateway
        must serve again before the next one's turn. `go_back` says how to undo what was done.
        """
        for position, host in enumerate(hosts):
            try:
                self._one(host, change, stays=stays)
            except FarmError as error:
                fix = error.fix if isinstance(error, HostError) else ""
                ways = (f"{way.rstrip('.')}." for way in (fix, go_back) if way)
                self._runner.give_up(host, HostError(error.message, fix=" ".join(ways)))
            if not self._runner.records[host.name].going:
                for left in hosts[position + 1 :]:
                    self._runner.skip(left, f"{host.name} is not well after its change")
                return False
        return True

    def _one(self, host: Host, change: Callable[[Host], Sequence[Step]], *, stays: bool) -> None:
        runner = self._runner
        runner.phase(lambda _: [marked()], [host])
        if not runner.records[host.name].going:
            return
        self._drain(host)
        runner.phase(lambda host: (stopped_and_released(), *change(host)), [host])
        failure = runner.records[host.name].error
        if failure is not None:
            raise failure
        if not runner.records[host.name].going or not stays:
            return
        late = await_nodes(self._gateway, [host.name], tell=self._tell)
        if late:
            raise HostError(
                f"{host.name}: it does not serve after its change: {late[host.name]}.",
                fix=f"Its last words: `journalctl -u farm-node` there; `farm doctor --limit"
                f" {host.name}` may say more.",
            )
        self._tell(f"{host.name} serves again")

    def _drain(self, host: Host) -> None:
        """Wait until nothing runs on a node and nothing is sent there any more."""
        with AdminClient(self._gateway.address, tls=self._gateway.tls) as admin:
            nodes = {node.node_id: node for node in admin.snapshot().nodes}
            if host.name not in nodes or nodes[host.name].state in _ABSENT:
                return
            self._keep_floor(host, nodes.values())
            if not nodes[host.name].cordoned:
                self._tell(f"draining {host.name}")
                admin.cordon(host.name)
            self._await_idle(host, admin)

    def _await_idle(self, host: Host, admin: AdminClient) -> None:
        began = time.monotonic()
        for snapshot in admin.watch(_LOOK_S):
            waited_s = time.monotonic() - began
            node = next((node for node in snapshot.nodes if node.node_id == host.name), None)
            if node is None or node.state in _ABSENT:
                return
            busy = node.inflight_batches or node.slots_busy
            if waited_s > _SETTLE_S and not busy:
                return
            if waited_s > self._settings.drain_s:
                raise HostError(
                    f"{host.name}: {node.inflight_batches} batches still run there after"
                    f" {self._settings.drain_s:g} s; it is cordoned and otherwise as it was.",
                    fix=f"See what runs there (`farm nodes describe {host.name}`), then run this"
                    f" again, or put it back: `farm nodes uncordon {host.name}`.",
                )
        raise HostError(
            f"{host.name}: the gateway went away while the node was drained.",
            fix="See that it runs (`farm nodes ls`), then run this again.",
        )

    def _keep_floor(self, host: Host, nodes: Collection["NodeSnapshot"]) -> None:
        # What an operator took out of service is not missed.
        meant = [node for node in nodes if node.node_id == host.name or not node.cordoned]
        others = sum(node.state == _READY for node in meant if node.node_id != host.name)
        if others < self._settings.floor * len(meant):
            raise HostError(
                f"{host.name}: without it {others} of {len(meant)} nodes would serve, and the floor"
                f" is {self._settings.floor:.0%}; it was left as it is.",
                fix="Bring the other nodes back first (`farm nodes ls`), or set a lower --floor.",
            )
