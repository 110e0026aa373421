"""A call over gRPC that brings a trace, and what of it reaches a collector."""

from pathlib import Path

import numpy as np
import pytest
from observed_gateway import observed_gateway
from otlp_collector import running_collector
from tritonclient.grpc import InferenceServerClient, InferInput

from farm.config import TracingConfig

pytestmark = pytest.mark.integration

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_clients_trace_goes_on_through_the_gateway(tmp_path: Path) -> None:
    given = InferInput("x", [1, 2], "UINT8")
    given.set_data_from_numpy(np.array([[1, 2]], np.uint8))
    with running_collector() as collector:
        # Of the requests that the gateway gets beside it none is kept.
        tracing = TracingConfig(endpoint=collector.endpoint, sample_ratio=0.0)
        with observed_gateway(tmp_path, tracing=tracing) as gateway:
            client = InferenceServerClient(gateway.grpc)
            client.infer(
                "digits", [given], request_id="mine",
                headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
            )  # fmt: skip
            client.close()
        # The gateway has ended, and what waited went out before.
        spans = {span.name: span for span in collector.await_spans()}
    assert set(spans) == {"infer digits", "queue", "batch", "compute"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    whole = spans["infer digits"]
    assert whole.parent_span_id.hex() == PARENT
    told = {each.key: each.value.string_value for each in whole.attributes}
    assert (told["farm.request_id"], told["farm.outcome"]) == ("mine", "ok")
    assert told["farm.node"] in {"pi-1", "pi-2", "pi-3"}
