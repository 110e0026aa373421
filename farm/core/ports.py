"""The fixed ports of a farm of several machines, so that a firewall can name them."""

from dataclasses import dataclass
from typing import Final

# A change of Ray or Python brings a second cluster up beside the first, on the other base.
CLUSTER_BASES: Final = {"a": 6400, "b": 6500}


@dataclass(frozen=True, slots=True)
class ClusterPorts:
    """Every port that Ray and an actor listen on, on every machine of a cluster.

    They are the hundred that begin at `base`, of which `first` to `last` may be in use.
    """

    base: int

    @property
    def first(self) -> int:
        return self.base

    @property
    def last(self) -> int:
        return self.base + 99

    @property
    def gcs(self) -> int:
        return self.base

    @property
    def node_manager(self) -> int:
        return self.base + 1

    @property
    def object_manager(self) -> int:
        return self.base + 2

    @property
    def dashboard_agent_grpc(self) -> int:
        return self.base + 3

    @property
    def dashboard_agent_listen(self) -> int:
        return self.base + 4

    @property
    def runtime_env_agent(self) -> int:
        return self.base + 5

    @property
    def metrics_export(self) -> int:
        return self.base + 6

    @property
    def workers(self) -> tuple[int, int]:
        """The first and the last port of workers and drivers."""
        return self.base + 10, self.base + 59

    @property
    def batches(self) -> int:
        """Where an actor takes batches from gateways (`farm.node.intake`)."""
        return self.base + 60
