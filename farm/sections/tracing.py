"""Requests as OpenTelemetry traces: where they go, and which."""

from typing import Annotated

from pydantic import Field

from farm.sections.section import Section
from farm.sections.words import Url


class Tracing(Section):
    """Where a gateway sends traces, and of which requests."""

    endpoint: Annotated[
        Url,
        Field(
            pattern=r"^https?://[^\s/]+(/\S*)?$",
            description="OTLP over HTTP, as http://127.0.0.1:4318/v1/traces",
        ),
    ]
    sample_ratio: Annotated[
        float,
        Field(ge=0, le=1, description="of requests whose client says nothing with a traceparent"),
    ] = 0.01
