"""The number of the protocol between a gateway and the tools of its operators."""

from typing import Final

# What gateway and tools agree on; raised when a message changes its meaning.
ADMIN_PROTOCOL: Final = 1
