"""What an operator sees of a farm at one moment, however he got there."""

from collections.abc import Iterable

from tui.sources.source import Update
from tui.store import Store


def seen(updates: Iterable[Update]) -> Store:
    """Return a screen's store that was told all this."""
    store = Store()
    for update in updates:
        store.take(update, 0.0)
    return store


def state_of(store: Store) -> object:
    """Return all that must be the same at the same moment; trends lie before it."""
    reading = store.reading
    known = (
        None
        if reading is None
        else (
            reading.snapshot,
            reading.rates,
            [node.rates for node in reading.nodes.values()],
            [model.rates for model in reading.models],
        )
    )
    return known, list(store.events), store.missed_events
