"""Which calls have come in and are not over yet."""

import asyncio

from farm.frontend.grpc_types import Context


class OpenCalls:
    """Counts calls until all of their answers are sent, and remembers when any came in.

    Those that watch something do not count: they end with their clients. `last_at` is on the
    loop's clock.
    """

    def __init__(self) -> None:
        self.last_at = 0.0
        self.count = 0

    def arrived(self) -> None:
        """Remember that a call came in."""
        self.last_at = asyncio.get_running_loop().time()

    def opened(self, context: Context) -> None:
        """Count a call until gRPC has sent its last answer, or its client has left."""
        self.count += 1
        # The stubs have a class where gRPC takes any function.
        context.add_done_callback(self._closed)  # type: ignore[arg-type]

    def _closed(self, _: Context) -> None:
        self.count -= 1
