"""Whose joules they were: a window's energy and cost, shared out over the batches that ran.

A host's joules in a window are its batches' marginal ones and the rest. What it drew above
idle is its batches' in the share that their threads have of the CPU time of the whole host,
split by thread-seconds (Kepler attributes active power by CPU time likewise). The rest, what
idle hosts drew, the farm's overhead and the price of the boards' time are the base: they are
reserved for whoever asks (the SCI specification counts reserved energy too), and are spread
over all batches of the window by the node-seconds that each had. A window in which nothing ran
keeps its base to itself. So the shares add up to what the farm drew, whatever happened.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from farm.core.errors import InternalError
from farm.core.ledger import Usage
from farm.core.requests import LedgerEntry
from farm.energy.charges import Charge, FarmWindow, HostWindow, Rates
from farm.energy.joules import NO_JOULES, Joules


class Share(NamedTuple):
    """How many seconds a batch ran in a window, which charges by these rates."""

    rates: Rates
    seconds: float


@dataclass(slots=True, eq=False)
class BatchAccount:
    """A batch: where it runs, on how many threads of how many, and its share of each window.

    Seconds until `counted_to` are in `shares` already. `entry`, and from when to when it ran,
    are known once it came back.
    """

    host: str
    node_id: str
    threads: int
    capacity: int
    counted_to: float
    shares: tuple[Share, ...] = ()
    began_at: float = 0.0
    ended_at: float = inf
    _entry: LedgerEntry | None = None

    @property
    def entry(self) -> LedgerEntry:
        """What the engine says of a batch that came back."""
        if self._entry is None:
            raise InternalError("a batch is settled only once it came back")
        return self._entry

    @property
    def charge(self) -> Charge:
        """What it took in the windows that are closed."""
        return sum(
            (
                rates.charge(
                    self.node_id,
                    thread_s=seconds * self.threads,
                    node_s=seconds * self.threads / self.capacity,
                )
                for rates, seconds in self.shares
            ),
            Charge(),
        )

    def usage(self, core_time: float = 1.0) -> Usage:
        """Return the same in plain figures, which takes a tenth of the time.

        There is one of these for each batch that a farm runs. `core_time` is how much longer a
        core of its node takes than the reference core.
        """
        joules = low_j = high_j = measured_j = modelled_j = marginal_j = seconds = 0.0
        cost: float | None = None
        power_cost: float | None = None
        for rates, part_s in self.shares:
            thread_s = part_s * self.threads
            own = rates.marginal.get(self.node_id, NO_JOULES)
            base, share = rates.base, thread_s / self.capacity / rates.node_s
            own_j, base_j = own.band.typical * thread_s, base.band.typical * share
            joules += own_j + base_j
            low_j += own.band.low * thread_s + base.band.low * share
            high_j += own.band.high * thread_s + base.band.high * share
            measured_j += own.measured * thread_s + base.measured * share
            modelled_j += own.modelled * thread_s + base.modelled * share
            marginal_j += own_j
            seconds += part_s
            if rates.tariff is not None or rates.capital is not None:
                for_power = (own_j + base_j) * (rates.tariff or 0.0)
                power_cost = (power_cost or 0.0) + for_power
                cost = (cost or 0.0) + for_power + (rates.capital or 0.0) * share
        return Usage(
            joules=joules,
            low_j=low_j,
            high_j=high_j,
            measured_j=measured_j,
            modelled_j=modelled_j,
            marginal_j=marginal_j,
            node_s=seconds * self.threads / self.capacity,
            reference_s=seconds * self.threads / core_time,
            cost=cost,
            power_cost=power_cost,
        )

    def came_back(self, entry: LedgerEntry, *, ran_s: float, now: float) -> None:
        """Note how it ended, after it had run for so long."""
        self._entry, self.began_at, self.ended_at = entry, now - ran_s, now

    def seconds_until(self, end: float) -> float:
        """Return for how long it ran until a moment, what is in its shares left out."""
        return min(self.ended_at, end) - max(self.began_at, self.counted_to)

    def charged(self, rates: Rates, until: float) -> None:
        """Take its share of a window that ends then."""
        self.shares += (Share(rates, self.seconds_until(until)),)
        self.counted_to = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A closed window: the batches that it completes, what nobody used, and its rates.

    `idle` is the whole window's charge if nothing ran in it. `rates` is None then.
    """

    window: FarmWindow
    batches: tuple[BatchAccount, ...]
    idle: Charge | None
    rates: Rates | None


class Account:
    """Knows the batches that run, and charges each window to them.

    Times are seconds of one clock that never falls. Windows are closed in their order, each
    beginning where the one before ended.
    """

    def __init__(self) -> None:
        self._open: dict[int, BatchAccount] = {}

    @property
    def open_charge(self) -> Charge:
        """What batches that are not settled have been charged so far."""
        return sum((batch.charge for batch in self._open.values()), Charge())

    def dispatched(
        self, batch_id: int, *, host: str, node_id: str, threads: int, capacity: int, now: float
    ) -> None:
        """Note that a batch was sent to a node with `capacity` threads for inference."""
        self._open[batch_id] = BatchAccount(host, node_id, threads, capacity, now)

    def returned(self, entry: LedgerEntry, *, ran_s: float, now: float) -> None:
        """Note that a batch came back, after it had run for `ran_s`; unknown ones are ignored."""
        batch = self._open.get(entry.batch_id)
        if batch is not None:
            batch.came_back(entry, ran_s=ran_s, now=now)

    def close(self, window: FarmWindow) -> Settlement:
        """Charge a window to the batches that ran in it; settle those that are back.

        What each of them took is reckoned when it is asked for, and nothing is made for each
        of them here that can be helped: there may be thousands, and all at once.
        """
        end = window.end
        running = [batch for batch in self._open.values() if batch.seconds_until(end) > 0]
        rates = None
        if running:
            rates = _rates(window, running)
            for batch in running:
                batch.charged(rates, end)
        settled = tuple([batch for batch in self._open.values() if batch.ended_at <= end])
        for batch in settled:
            del self._open[batch.entry.batch_id]
        return Settlement(
            window=window,
            batches=settled,
            idle=None if running else _idle(window),
            rates=rates,
        )

    def abandon(self) -> Charge:
        """Forget the batches that are not settled; return what they were charged."""
        left = self.open_charge
        self._open.clear()
        return left


def _idle(window: FarmWindow) -> Charge:
    """Return all that a window took in which nothing ran."""
    return Charge(base=window.energy, cost=window.cost, power_cost=window.power_cost)


def _rates(window: FarmWindow, running: Sequence[BatchAccount]) -> Rates:
    """Return what a window charges for the seconds of those that ran in it."""
    thread_s: defaultdict[str, float] = defaultdict(float)
    hosts: dict[str, str] = {}
    node_s = 0.0
    for batch in running:
        threads_s = batch.seconds_until(window.end) * batch.threads
        thread_s[batch.host] += threads_s
        node_s += threads_s / batch.capacity
        hosts[batch.node_id] = batch.host
    base = window.overhead
    marginal: dict[str, Joules] = {}
    for name, host in window.hosts.items():
        used_s = thread_s[name]
        share = _marginal_share(host, used_s, window.end - window.start)
        base += host.energy.times(1.0 - share)
        if used_s > 0:
            marginal[name] = host.energy.times(share / used_s)
    return Rates(
        seconds=window.end - window.start,
        marginal={node_id: marginal[host] for node_id, host in hosts.items() if host in marginal},
        base=base,
        node_s=node_s,
        capital=window.capital,
        tariff=window.tariff,
    )


def _marginal_share(host: HostWindow, thread_s: float, seconds: float) -> float:
    """Return which part of a host's joules its batches caused."""
    joules = host.energy.typical
    above = joules - host.idle_w * seconds
    if joules <= 0 or above <= 0 or thread_s <= 0:
        return 0.0
    theirs = min(1.0, thread_s / host.busy_core_s) if host.busy_core_s > 0 else 1.0
    return above / joules * theirs
