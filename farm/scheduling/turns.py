"""Whose turn it is: the farm's time shared out between the clients that wait for it.

Self-clocked fair queueing (Golestani, "A self-clocked fair queueing scheme for broadband
applications", 1994), with a client as the flow and the farm's time as its packet length. The
clock stands where the turn of the client that was served last stood. A client's next turn
comes when the clock has gone on by the cost of what it was just given or, if it had nothing
waiting, of what it brings: so a newcomer waits for one turn of each of the others, however
long their queues are, and a client that comes back gains nothing by having been away.
Nothing has to be remembered of a client that waits for nothing.
"""


class Turn:
    """When it is the turn of one client, on the clock of all, and what it has waiting."""

    __slots__ = ("at", "client", "size_bytes", "waiting")

    def __init__(self, client: str, at: float) -> None:
        self.client = client
        self.at = at
        self.waiting = 0
        self.size_bytes = 0


class Turns:
    """The turns of all clients that have something waiting. Every step costs O(1)."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._turns: dict[str, Turn] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def size_bytes(self, client: str) -> int:
        """Return the bytes that a client has waiting."""
        turn = self._turns.get(client)
        return turn.size_bytes if turn is not None else 0

    def enter(self, client: str, *, cost_s: float, size_bytes: int) -> Turn:
        """Count a request that begins to wait; return the turn of its client."""
        turn = self._turns.get(client)
        if turn is None:
            turn = self._turns[client] = Turn(client, self._clock + cost_s)
        turn.waiting += 1
        turn.size_bytes += size_bytes
        return turn

    def leave(self, turn: Turn, *, size_bytes: int) -> None:
        """Count a request that waits no longer."""
        turn.waiting -= 1
        turn.size_bytes -= size_bytes
        if not turn.waiting:
            del self._turns[turn.client]
            if not self._turns:
                self._clock = 0.0

    def serve(self, turn: Turn, cost_s: float) -> None:
        """Charge a client for a request that is about to leave for a node.

        A turn that came and went while no node could take the client's requests is not made
        up for: it would be at the cost of clients that had no part in that.
        """
        self._clock = max(self._clock, turn.at)
        turn.at = self._clock + cost_s
