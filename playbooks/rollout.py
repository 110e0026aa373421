"""Changes nodes of a farm that serves, one at a time, without a request that fails for it."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.client import AdminClient
from farm.core.errors import FarmError
from farm.inventory import Host
from playbooks.runner import Runner
from playbooks.steps.base import Step
from playbooks.transport import HostError
from playbooks.verification import Gateway, await_nodes

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import NodeSnapshot

_DRAIN_S = 120.0
_LOOK_S = 0.3
_READY = "ready"
# Within this, a node's next heartbeat has told every gateway that it is cordoned.
_SETTLE_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """`floor` is the share of the nodes that must go on serving, 0 to 1."""

    floor: float = 0.5
    drain_s: float = _DRAIN_S


class Rollout:
    """One node after the other: drained, changed, waited for, put back; ends at the first bad one.

    `gateway` may be another one after each node, if the change is a move to another cluster.
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
        arrives_at: Gateway | None = None,
    ) -> bool:
        """Change these hosts; return whether all of them serve again.

        `change` ends with the step that starts the node. `arrives_at` is the gateway that has
        the node afterwards; `go_back` says how to undo what was done, for the errors.
        """
        for position, host in enumerate(hosts):
            try:
                self._one(host, change, arrives_at or self._gateway)
            except HostError as error:
                self._runner.give_up(host, HostError(error.message, fix=f"{error.fix} {go_back}"))
            except FarmError as error:
                self._runner.give_up(host, HostError(f"{host.name}: {error.message}", fix=go_back))
            if not self._runner.records[host.name].going:
                for left in hosts[position + 1 :]:
                    self._runner.skip(left, f"{host.name} is not well after its change")
                return False
        return True

    def _one(
        self, host: Host, change: Callable[[Host], Sequence[Step]], arrives_at: Gateway
    ) -> None:
        runner, name = self._runner, host.name
        out_of_service = self._drain(host)
        runner.phase(change, [host])
        if not runner.records[name].going:
            return
        self._await(host, arrives_at)
        if not out_of_service:
            with AdminClient(arrives_at.address, tls=arrives_at.tls) as admin:
                admin.uncordon(name)
            self._await(host, arrives_at)
        self._tell(f"{name} serves again")

    def _drain(self, host: Host) -> bool:
        """Take a node out of service; return whether an operator had done so before."""
        with AdminClient(self._gateway.address, tls=self._gateway.tls) as admin:
            nodes = {node.node_id: node for node in admin.snapshot().nodes}
            node = nodes.get(host.name)
            if node is None or node.state == "lost":
                return False
            self._keep_floor(host, nodes.values())
            if node.cordoned:
                return True
            admin.cordon(host.name)
            self._tell(f"draining {host.name}")
            began = time.monotonic()
            for snapshot in admin.watch(_LOOK_S):
                waited_s = time.monotonic() - began
                node = next((n for n in snapshot.nodes if n.node_id == host.name), None)
                if node is None or (waited_s > _SETTLE_S and _is_idle(node)):
                    return False
                if waited_s > self._settings.drain_s:
                    admin.uncordon(host.name)
                    raise HostError(
                        f"{host.name}: {node.inflight_batches} batches still run there after"
                        f" {self._settings.drain_s:g} s; it was put back into service unchanged.",
                        fix="see what runs there with `farm nodes describe`, then run this again.",
                    )
        return False

    def _keep_floor(self, host: Host, nodes: "Collection[NodeSnapshot]") -> None:
        others = sum(node.state == _READY for node in nodes if node.node_id != host.name)
        if others < self._settings.floor * len(nodes):
            raise HostError(
                f"{host.name}: without it {others} of {len(nodes)} nodes would serve, and the floor"
                f" is {self._settings.floor:.0%}; it was left as it is.",
                fix="Bring the other nodes back first (`farm nodes ls`), or set a lower --floor.",
            )

    def _await(self, host: Host, gateway: Gateway) -> None:
        late = await_nodes(gateway, [host.name], tell=self._tell)
        if late:
            raise HostError(
                f"{host.name}: it does not serve after its change: {late[host.name]}.",
                fix=f"Its last words: `journalctl -u farm-node` there. `farm doctor --limit"
                f" {host.name}` may say more.",
            )


def _is_idle(node: "NodeSnapshot") -> bool:
    return node.state == "lost" or not (node.inflight_batches or node.slots_busy)
