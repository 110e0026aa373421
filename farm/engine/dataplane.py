"""What clients can ask of the farm, without any transport."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from farm.core.clock import Clock
from farm.core.errors import (
    DrainingError,
    FarmError,
    InvalidRequestError,
    ModelNotFoundError,
    ModelUnavailableError,
)
from farm.core.models import DynamicBatching, ModelKey, ModelSpec, ModelState
from farm.core.requests import InferenceRequest, Parameter, Receipt
from farm.core.snapshots import AnswerPrices, GatewayState
from farm.core.tensors import Tensor
from farm.engine.abi import abi_range
from farm.engine.catalog import Catalog, Version
from farm.engine.classification import check_classifiable, classified
from farm.engine.engine import Answer, Engine
from farm.engine.fleet import Fleet
from farm.engine.pricing import Price, Pricing
from farm.engine.reshaping import to_caller
from farm.engine.statistics import VersionStatistics
from farm.engine.validation import check_wanted, chosen_outputs, count_rows, ordered_inputs

# Finding the highest of more values than these takes milliseconds, so a thread does it.
_LONG_OUTPUT_BYTES = 64 << 10

# Without a priority of its own a request stands here; 1 is the most urgent.
DEFAULT_PRIORITY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceCall:
    """A request as a client makes it, in terms of no transport.

    `version` is empty for the latest ready one, or the latest ready one whose ABI is in the
    range `abi`. `outputs` is empty for all; those in `classes` are answered as that many
    highest values. `timeout_s` is what is left of the client's deadline, `queue_timeout_s`
    how long it may wait. `client` is whose it is: clients share the farm fairly. `given_id` is
    what the client calls it, `trace_parent` the W3C `traceparent` of its call.
    """

    model: str
    version: str
    inputs: tuple[Tensor, ...]
    abi: str = ""
    outputs: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    timeout_s: float | None = None
    queue_timeout_s: float | None = None
    client: str = ""
    given_id: str = ""
    trace_parent: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResult:
    """The chosen outputs of the version that answered, the receipt, and what it cost."""

    model: ModelKey
    outputs: tuple[Tensor, ...]
    receipt: Receipt
    price: Price


class DataPlane:
    """Inference, metadata and readiness over one engine, fleet and catalogue."""

    def __init__(
        self,
        *,
        engine: Engine,
        fleet: Fleet,
        catalog: Catalog,
        pricing: Pricing,
        clock: Clock,
        default_timeout_s: float,
    ) -> None:
        self._engine = engine
        self._fleet = fleet
        self._catalog = catalog
        self._pricing = pricing
        self._clock = clock
        self._default_timeout_s = default_timeout_s
        self._ids = count(1)
        self.state = GatewayState.STARTING

    def turned_away(self, given_id: str, model: str, error: FarmError) -> None:
        """Note a request that is refused before anything of the farm is asked of it."""
        self._engine.log.turned_away(given_id, model, error)

    async def infer(self, call: InferenceCall) -> InferenceResult:
        """Answer a request.

        Raises:
            FarmError: it was refused or failed; the code says how.
        """
        try:
            version, spec = self._resolve(call.model, call.version, call.abi)
            request = self._admit(call, spec)
        except FarmError as error:
            self.turned_away(call.given_id, call.model, error)
            raise
        answer = await self._engine.submit(request)
        price = self._pricing.price(answer.receipt, response_bytes=answer.size_bytes)
        return InferenceResult(
            model=request.model,
            outputs=await _presented(call, version, spec, answer),
            receipt=answer.receipt,
            price=price,
        )

    def prices(self) -> AnswerPrices:
        """Return what all answers so far were said to cost, here and by the baseline."""
        return self._pricing.totals()

    def serving(self) -> bool:
        """Whether requests are taken and at least one node can run them."""
        return self.state is GatewayState.SERVING and self._fleet.any_accepting()

    def model_ready(self, name: str, version: str) -> bool:
        """Whether a model (any version of it, when none is given) can be called now.

        What is unknown is not ready: clients ask this to wait for a model to appear.
        """
        try:
            versions = self._catalog.find(name, version)
        except (ModelNotFoundError, ModelUnavailableError):
            return False
        return any(self._state(entry) is ModelState.READY for entry in versions)

    def served(self, name: str, version: str) -> tuple[Version, ModelSpec]:
        """Return the version that a request without an ABI range would get, and its spec.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: it is not ready.
        """
        return self._resolve(name, version, "")

    def ready_versions(self, name: str) -> tuple[int, ...]:
        """Return the versions of a model that can be called now, smallest first."""
        model = self._catalog.model(name)
        if model is None:
            return ()
        ready = [v for v in model.versions.values() if self._state(v) is ModelState.READY]
        return tuple(sorted(version.key.version for version in ready))

    def statistics(self, name: str, version: str) -> list[tuple[ModelKey, VersionStatistics]]:
        """Return the counts of every version that is loaded, or of those asked for.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: it is not loaded.
        """
        versions = self._catalog.find(name, version) if name else self._catalog.versions()
        loaded = [entry.key for entry in versions if entry.spec is not None]
        if name and not loaded:
            raise ModelUnavailableError(
                f"model '{name}' has no statistics: no version of it that was asked for is loaded"
            )
        return [(key, self._engine.statistics(key)) for key in sorted(loaded)]

    def _admit(self, call: InferenceCall, spec: ModelSpec) -> InferenceRequest:
        if self.state is GatewayState.DRAINING:
            raise DrainingError(
                "the gateway is shutting down and takes no new requests; try another or retry",
                retry_after_s=1.0,
            )
        inputs = ordered_inputs(spec, call.inputs)
        rows = count_rows(spec, inputs)
        check_wanted(spec, call.outputs)
        _check_classes(spec, call.classes)
        if call.priority < 0:
            raise InvalidRequestError("parameter 'priority' must be 0 (default), 1 (first) or more")
        priority = _priority(call.priority, spec.batching)
        queue_timeout_s = _queue_timeout_s(call.queue_timeout_s, spec.batching, priority)
        now = self._clock.monotonic()
        timeout_s = self._default_timeout_s if call.timeout_s is None else call.timeout_s
        return InferenceRequest(
            id=next(self._ids),
            model=spec.key,
            inputs=inputs,
            rows=rows,
            arrived_at=now,
            priority=priority,
            deadline=now + timeout_s,
            queue_deadline=None if queue_timeout_s is None else now + queue_timeout_s,
            names_deadline=call.timeout_s is not None,
            client=call.client,
            given_id=call.given_id,
            trace_parent=call.trace_parent,
            parameters=call.parameters,
        )

    def _resolve(self, name: str, version: str, abi: str) -> tuple[Version, ModelSpec]:
        """Return the newest ready version that was asked for, and its spec."""
        versions = self._catalog.find(name, version)
        if abi:
            versions = _compatible(name, versions, abi)
        for entry in versions:
            if entry.spec is not None and self._state(entry) is ModelState.READY:
                return entry, entry.spec
        latest = versions[0]
        if self._state(latest) is ModelState.UNLOADING:
            raise ModelUnavailableError(f"model '{name}' is being unloaded")
        refusal = latest.refusal
        if not refusal and latest.artifact is not None:
            refusal = self._fleet.refusal(latest.artifact)
        why = refusal or "it is still being loaded, or no node that holds it is up"
        raise ModelUnavailableError(
            f"model '{name}' version {latest.key.version} is not ready: {why}",
            retry_after_s=None if refusal else 1.0,
        )

    def _state(self, version: Version) -> ModelState:
        return self._catalog.state(version, served=self._fleet.serves(version.digest))


def _compatible(name: str, versions: list[Version], abi: str) -> list[Version]:
    wanted = abi_range(abi)
    fitting = [v for v in versions if v.available is not None and v.available.abi in wanted]
    if not fitting:
        there = ", ".join(
            f"{v.key.version} ({v.available.abi})" for v in versions if v.available is not None
        )
        raise ModelNotFoundError(
            f"model '{name}' has no version with an ABI in '{abi[:64]}'; it has, with their ABI,"
            f" {there or 'none'}"
        )
    return fitting


def _priority(asked: int, batching: DynamicBatching) -> int:
    """Return the level a request waits at. Out of the model's levels means its default."""
    if not batching.priority_levels:
        return asked or DEFAULT_PRIORITY
    return asked if 1 <= asked <= batching.priority_levels else batching.default_priority


def _queue_timeout_s(asked: float | None, batching: DynamicBatching, priority: int) -> float | None:
    """Return how long a request may wait, by its model's policy."""
    policy = batching.policy(priority)
    if policy.default_timeout_s is None:
        return asked
    if asked is not None and policy.allow_timeout_override:
        return min(asked, policy.default_timeout_s)
    return policy.default_timeout_s


def _check_classes(spec: ModelSpec, classes: Mapping[str, int]) -> None:
    for output in spec.outputs:
        if output.name in classes:
            check_classifiable(output.name, output.datatype, classes[output.name])


async def _presented(
    call: InferenceCall, version: Version, spec: ModelSpec, answer: Answer
) -> tuple[Tensor, ...]:
    """Return what the caller sees of a model's outputs: chosen, reshaped, classified."""
    outputs = chosen_outputs(spec, answer.outputs, call.outputs)
    specs = {output.name: output for output in spec.outputs}
    outputs = tuple(to_caller(tensor, specs[tensor.name]) for tensor in outputs)
    if not call.classes:
        return outputs
    labels = version.available.settings.labels if version.available is not None else {}

    def classify(tensor: Tensor) -> Tensor:
        return classified(
            tensor,
            call.classes[tensor.name],
            batched=spec.batched,
            labels=labels.get(tensor.name, ()),
        )

    wanted = [tensor for tensor in outputs if tensor.name in call.classes]
    if sum(len(tensor.raw) for tensor in wanted) > _LONG_OUTPUT_BYTES:
        found = await asyncio.to_thread(lambda: [classify(tensor) for tensor in wanted])
    else:
        found = [classify(tensor) for tensor in wanted]
    by_name = {tensor.name: tensor for tensor in found}
    return tuple(by_name.get(tensor.name, tensor) for tensor in outputs)
