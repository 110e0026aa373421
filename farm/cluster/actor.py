"""The actor on each node: `NodeService` with plain messages in and out.

Made remote by `remote_actor`, not by a decorator, so that importing this loads no Ray.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from farm.cluster.names import NAMESPACE, actor_name, resource_name
from farm.cluster.ray_environment import told_to_encrypt
from farm.core.actor_messages import decode_artifact, encode_curves, encode_record
from farm.core.frames import Endpoint
from farm.node.affinity import share_out, usable_cores
from farm.node.intake import Intake
from farm.node.own_log import read_own_log
from farm.node.service import NodeService
from farm.node.settings import NodeSettings

# Heartbeats must not wait behind inference, nor inference behind a file transfer.
INFERENCE, TELEMETRY, MODELS = "inference", "telemetry", "models"

# Ray's LOG_PREFIX_* begin lines that are for its own log monitor.
_MARKS = (":actor_name:", ":job_id:", ":task_name:")


class NodeActor:
    """One a node. Detached and named, it outlives the gateway that made it."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        settings = NodeSettings.of_message(message)
        if settings.own_cores:
            share, *_ = share_out(usable_cores(), nodes=1, threads=settings.capacity)
            settings = replace(settings, cores=share)
        self._service = NodeService(settings)
        self._service.expect_models()
        # Where Ray is told to encrypt, so is this, by the same certificates.
        self._tls = told_to_encrypt(os.environ)
        self._intake = Intake(
            self._service.infer,
            callers=_callers(settings),
            port=settings.batch_port,
            tls=self._tls,
        )

    def describe(self) -> dict[str, Any]:
        return encode_record(self._service.describe()) | {"cordoned": self._service.cordoned}

    def vitals(self) -> dict[str, Any]:
        return encode_record(self._service.vitals())

    def listen(self, gateway: str) -> Endpoint:
        """Return where the gateway at this address may connect to send batches."""
        here = own_address()
        # A certificate holds the machine's address, not loopback's.
        aside = gateway == here and self._tls is None
        return self._intake.listen("127.0.0.1" if aside else here)

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

    def exercise(self, load: float, seconds: float) -> None:
        self._service.exercise(load, seconds)

    def read_log(self, after: int) -> tuple[int, str]:
        position, text = read_own_log(after)
        return position, without_marks(text)

    def unload(self, digest: str) -> None:
        self._service.unload(digest)


def without_marks(text: str) -> str:
    """Return a log without the lines by which Ray tells which job and actor it is of."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_MARKS))


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


def remote_actor(settings: NodeSettings) -> Any:
    """Start a node's actor and return its handle.

    Ray restarts nothing: an actor that Ray restarts itself keeps callers waiting for 2 s
    before they learn of its death, one that stays dead tells them within 20 ms
    (docs/decisions/0002). The supervisor makes a new one.
    """
    import ray

    # Made remote anew for each, though Ray keeps 20 kB of every one. Nodes get it from Ray's
    # control store, which drops it with the job of a gateway whose head was lost; the same class
    # is not put there again. Ray's stubs do not know concurrency_groups, hence Any.
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
        .remote(settings.to_message())
    )
