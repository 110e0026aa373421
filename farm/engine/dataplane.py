"""What clients can ask of the farm, without any transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from farm.core.clock import Clock
from farm.core.errors import DrainingError, InvalidRequestError, ModelUnavailableError
from farm.core.models import ModelKey, ModelSpec, ModelState
from farm.core.requests import InferenceRequest, Parameter, Receipt
from farm.core.snapshots import GatewayState
from farm.core.tensors import Tensor
from farm.engine.catalog import Catalog, Version
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.validation import check_wanted, chosen_outputs, count_rows, ordered_inputs

# Without a priority of its own a request stands here; 1 is the most urgent.
DEFAULT_PRIORITY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceCall:
    """A request as a client makes it, in terms of no transport.

    `version` is empty for the latest ready one; `outputs` is empty for all. `timeout_s`
    is what is left of the client's deadline, `queue_timeout_s` how long it may wait.
    """

    model: str
    version: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...] = ()
    priority: int = 0
    timeout_s: float | None = None
    queue_timeout_s: float | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResult:
    """The chosen outputs of the version that answered, and the receipt."""

    model: ModelKey
    outputs: tuple[Tensor, ...]
    receipt: Receipt


class DataPlane:
    """Inference, metadata and readiness over one engine, fleet and catalogue."""

    def __init__(
        self,
        *,
        engine: Engine,
        fleet: Fleet,
        catalog: Catalog,
        clock: Clock,
        default_timeout_s: float,
    ) -> None:
        self._engine = engine
        self._fleet = fleet
        self._catalog = catalog
        self._clock = clock
        self._default_timeout_s = default_timeout_s
        self._ids = count(1)
        self.state = GatewayState.STARTING

    async def infer(self, call: InferenceCall) -> InferenceResult:
        """Answer a request.

        Raises:
            FarmError: it was refused or failed; the code says how.
        """
        spec = self._spec(call.model, call.version)
        request = self._admit(call, spec)
        answer = await self._engine.submit(request)
        return InferenceResult(
            model=request.model,
            outputs=chosen_outputs(answer.outputs, call.outputs),
            receipt=answer.receipt,
        )

    def serving(self) -> bool:
        """Whether requests are taken and at least one node can run them."""
        return self.state is GatewayState.SERVING and self._fleet.any_ready()

    def model_ready(self, name: str, version: str) -> bool:
        """Whether a model (any version of it, when none is given) can be called now.

        Raises:
            ModelNotFoundError: there is no such model or version.
        """
        try:
            versions = self._catalog.find(name, version)
        except ModelUnavailableError:
            return False
        return any(self._state(entry) is ModelState.READY for entry in versions)

    def metadata(self, name: str, version: str) -> tuple[ModelSpec, tuple[int, ...]]:
        """Return a version's spec and all versions that are ready, smallest first.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: it is not ready.
        """
        spec = self._spec(name, version)
        ready = [
            entry.key.version
            for entry in self._catalog.find(name, "")
            if self._state(entry) is ModelState.READY
        ]
        return spec, tuple(sorted(ready))

    def _admit(self, call: InferenceCall, spec: ModelSpec) -> InferenceRequest:
        if self.state is GatewayState.DRAINING:
            raise DrainingError(
                "the gateway is shutting down and takes no new requests; try another or retry",
                retry_after_s=1.0,
            )
        inputs = ordered_inputs(spec, call.inputs)
        rows = count_rows(spec, inputs)
        check_wanted(spec, call.outputs)
        if call.priority < 0:
            raise InvalidRequestError("parameter 'priority' must be 0 (default), 1 (first) or more")
        now = self._clock.monotonic()
        timeout_s = self._default_timeout_s if call.timeout_s is None else call.timeout_s
        return InferenceRequest(
            id=next(self._ids),
            model=spec.key,
            inputs=inputs,
            rows=rows,
            arrived_at=now,
            priority=call.priority or DEFAULT_PRIORITY,
            deadline=now + timeout_s,
            queue_deadline=None if call.queue_timeout_s is None else now + call.queue_timeout_s,
            parameters=call.parameters,
        )

    def _spec(self, name: str, version: str) -> ModelSpec:
        versions = self._catalog.find(name, version)
        for entry in versions:
            if entry.spec is not None and self._state(entry) is ModelState.READY:
                return entry.spec
        latest = versions[0]
        why = latest.refusal or "it is still being loaded, or no node that holds it is up"
        raise ModelUnavailableError(
            f"model '{name}' version {latest.key.version} is not ready: {why}",
            retry_after_s=None if latest.refusal else 1.0,
        )

    def _state(self, version: Version) -> ModelState:
        return self._catalog.state(version, served=self._fleet.serves(version.digest))
