"""The machines behind the nodes: what each is, what it draws, what it costs to have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from farm.core.energy import Power
from farm.core.nodes import NodeProfile, NodeVitals
from farm.energy.calibration import board_key
from farm.energy.charges import HostWindow
from farm.energy.cores import Core, core_of
from farm.energy.economics import HostEconomics
from farm.energy.joules import NO_JOULES, Joules
from farm.energy.meters import accuracy
from farm.energy.power import HostPower, PowerModel


class BoardPower(Protocol):
    """Knows what boards draw."""

    def __call__(self, board: str, /, *, cores: int) -> PowerModel:
        """Return the model of a board by its id or the name its firmware gives it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node's batches run: its host and board, its threads, those of a batch by default."""

    host: str
    board: str
    core: Core
    capacity: int
    threads_per_slot: int


class Hosts:
    """Those of the nodes that have joined. Times are seconds of the gateway's clock."""

    def __init__(self, economics: Mapping[str, HostEconomics], *, boards: BoardPower) -> None:
        self._economics = economics
        self._boards = boards
        self._power: dict[str, HostPower] = {}
        self._places: dict[str, Place] = {}

    def joined(self, profile: NodeProfile) -> None:
        """Note where a node's batches will run."""
        known = self._economics.get(profile.node_id, HostEconomics())
        host = known.host or profile.host or profile.node_id
        board = known.board or profile.board
        key = board_key(board, architecture=profile.architecture, host=host)
        self._places[profile.node_id] = Place(
            host=host,
            board=key,
            core=core_of(board),
            capacity=profile.capacity,
            threads_per_slot=profile.threads_per_slot,
        )
        if host not in self._power:
            model = self._boards(key, cores=profile.cores)
            self._power[host] = HostPower(
                model,
                cores=profile.cores,
                accuracy=accuracy,
                bounded=known.meter_max_w is not None,
            )

    def calibrated(self, board: str) -> None:
        """Ask anew what hosts of a kind of board draw."""
        for place in self._places.values():
            if place.board == board:
                host = self._power[place.host]
                host.model = self._boards(board, cores=host.cores)

    def heard(self, node_id: str, vitals: NodeVitals, now: float) -> None:
        """Take a heartbeat."""
        place = self._places.get(node_id)
        if place is not None:
            self._power[place.host].heard(node_id, vitals, now)

    def doubt(self, node_id: str) -> str:
        """Return why the meter of a node's host is not believed now; nothing where it is."""
        place = self._places.get(node_id)
        return self._power[place.host].doubt if place is not None else ""

    def place(self, node_id: str) -> Place:
        """Return where the batches of a node run that has joined."""
        return self._places[node_id]

    def find(self, node_id: str) -> Place | None:
        """Return where a node's batches run; None before it joined."""
        return self._places.get(node_id)

    def power(self, node_id: str) -> Power | None:
        """Return what a node's host draws now; None where nothing is known yet."""
        place = self._places.get(node_id)
        return self._power[place.host].power() if place is not None else None

    @property
    def machines(self) -> Mapping[str, str]:
        """The host of each node that has joined."""
        return {node_id: place.host for node_id, place in self._places.items()}

    def windows(self, start: float, end: float) -> Mapping[str, HostWindow]:
        """Return what each host did between two moments; what is before is forgotten."""
        return {name: host.window(start, end) for name, host in self._power.items()}

    def capital(self, seconds: float) -> float | None:
        """Return what the time of all machines costs; None where none has a price."""
        # Nodes that share a machine have its price once.
        prices = {
            self._places[name].host if name in self._places else host.host or name: (
                host.capital_per_s
            )
            for name, host in self._economics.items()
        }
        known = [price for price in prices.values() if price is not None]
        return sum(known) * seconds if known else None

    # -- by the power models alone ------------------------------------------------------

    def idle(self, seconds: float) -> Joules:
        """Return what all hosts take when they do nothing."""
        return sum(
            (
                Joules.of(host.model.idle.times(seconds), host.model.source)
                for host in self._power.values()
            ),
            NO_JOULES,
        )

    def core_seconds(self) -> dict[str, Joules]:
        """Return what a busy core takes beyond idle in a second, by node."""
        found = {}
        for node_id, place in self._places.items():
            host = self._power[place.host]
            found[node_id] = host.model.core_second(host.cores)
        return found

    def core_second_j(self, node_id: str) -> float:
        """Return the same of one node that has joined, typically."""
        host = self._power[self._places[node_id].host]
        return host.model.core_second(host.cores).typical
