"""The actor on each node: `NodeService` with plain messages in and out.

Made remote by `remote_actor`, not by a decorator, so that importing this loads no Ray.
"""

from collections.abc import Mapping
from typing import Any

from farm.core.actor_messages import decode_artifact, encode_curves, encode_record
from farm.core.frames import Endpoint
from farm.node.intake import Intake
from farm.node.service import NodeService
from farm.node.settings import NodeSettings

# Ray's namespace for all actors of a farm.
NAMESPACE = "farm"

# Heartbeats must not wait behind inference, nor inference behind a file transfer.
INFERENCE, TELEMETRY, MODELS = "inference", "telemetry", "models"


class NodeActor:
    """One a node. Detached and named, it outlives the gateway that made it."""

    def __init__(self, settings: NodeSettings) -> None:
        self._service = NodeService(settings)
        self._service.expect_models()
        self._intake = Intake(self._service.infer, callers=_callers(settings))

    def describe(self) -> dict[str, Any]:
        return encode_record(self._service.describe()) | {"cordoned": self._service.cordoned}

    def vitals(self) -> dict[str, Any]:
        return encode_record(self._service.vitals())

    def listen(self, gateway: str) -> Endpoint:
        """Return where the gateway at this address may connect to send batches."""
        here = own_address()
        return self._intake.listen("127.0.0.1" if gateway == here else here)

    def infer(self, call: bytes, *raws: bytes) -> bytes:
        return self._service.infer(call, *raws)

    def cancel(self, call_id: str) -> None:
        self._service.cancel(call_id)

    def missing_files(self, artifact: Mapping[str, Any]) -> tuple[str, ...]:
        return self._service.missing_files(decode_artifact(artifact))

    def receive(self, sha256: str, offset: int, chunk: bytes, last: bool) -> None:
        self._service.receive(sha256, offset, chunk, last)

    def load(self, artifact: Mapping[str, Any], contents: Mapping[str, bytes]) -> dict[str, Any]:
        return encode_record(self._service.load(decode_artifact(artifact), contents))

    def measure(self, digest: str) -> dict[str, Any]:
        """Measure the default split: what gateways of the protocol before ask for."""
        return self.measure_split(digest, 0)

    def measure_split(self, digest: str, threads: int) -> dict[str, Any]:
        curve = self._service.measure(digest, threads)
        return encode_curves([curve] if curve is not None else [])

    def probe(self, digest: str) -> None:
        self._service.probe(digest)

    def set_cordon(self, cordoned: bool) -> None:
        self._service.set_cordon(cordoned=cordoned)

    def unload(self, digest: str) -> None:
        self._service.unload(digest)


def _callers(settings: NodeSettings) -> int:
    """Return as many batches as can run or wait, suspects apart, and two more.

    One is for a probe, one for a batch that is told at once that the node is busy.
    """
    return (settings.capacity + 1) * (1 + settings.lookahead) + 2


def own_address() -> str:
    """Return the address by which Ray's other machines know this one."""
    import ray

    # Ray's stubs do not know what it returns.
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return address


def actor_name(node_id: str) -> str:
    """Return the name under which a node's actor is found."""
    return f"node-{node_id}"


def resource_name(node_id: str) -> str:
    """Return the Ray resource that pins a node's actor to its machine."""
    return f"farm_node_{node_id}"


def remote_actor(settings: NodeSettings) -> Any:
    """Start a node's actor and return its handle.

    Ray restarts nothing: an actor that Ray restarts itself keeps callers waiting for 2 s
    before they learn of its death, one that stays dead tells them within 20 ms
    (docs/decisions/0002). The supervisor makes a new one.
    """
    import ray

    # Ray's stubs do not know concurrency_groups.
    remote: Any = ray.remote
    groups = {INFERENCE: _callers(settings), TELEMETRY: 1, MODELS: 1}
    return (
        remote(num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups=groups)(NodeActor)
        .options(
            name=actor_name(settings.node_id),
            namespace=NAMESPACE,
            lifetime="detached",
            resources={resource_name(settings.node_id): 1},
        )
        .remote(settings)
    )
