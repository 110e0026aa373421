"""What one request may hold, and one client keep open. docs/protocol.md has the table."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one request beside its size in bytes, which gRPC itself holds, and on streams.

    `max_fields` is for all fields of a message with those of the messages in it, `max_values`
    for the typed values of all its tensors, `max_rank` for dimensions, `max_elements` for a
    shape's product (its zeros left out), `max_strings` for the elements of a BYTES tensor and
    `max_string_bytes` for each. Names are of models, tensors and parameters; a text is the value
    of a parameter. `max_calls` is for the calls that are open on one connection; more wait at
    the client. It is more than a queue takes by default, and that refuses in words.
    """

    max_fields: int = 100_000
    max_values: int = 16 << 20
    max_inputs: int = 1_024
    max_outputs: int = 1_024
    max_parameters: int = 256
    max_rank: int = 32
    max_elements: int = (2 << 30) - 1
    max_strings: int = 1_000_000
    max_string_bytes: int = 16 << 20
    max_name_chars: int = 1_024
    max_id_chars: int = 1_024
    max_text_chars: int = 64 << 10
    max_streams: int = 4_096
    max_streams_of_client: int = 256
    max_calls: int = 4_096


LIMITS: Final = Limits()
