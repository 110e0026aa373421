"""The number of the protocol between a gateway and the tools of its operators."""

from typing import Final

# What gateway and tools agree on; raised when a message changes its meaning. A tool of one
# number less or more goes on as far as it can.
ADMIN_PROTOCOL: Final = 1
