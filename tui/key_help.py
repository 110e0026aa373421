"""The keys that are in force, as the help tells them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding

from tui.keys import KEYS, MOVING, Place

HERE: Final = "here"


@dataclass(frozen=True, slots=True)
class KeySection:
    """Keys under a heading, each with what it does; several keys of one action together."""

    heading: str
    keys: Sequence[tuple[Sequence[str], str]]


def key_sections(active: Iterable[Binding], overrides: Mapping[str, str]) -> Sequence[KeySection]:
    """Return the keys of the screen that help is wanted for, then those of other places.

    `active` are the bindings in force there; `overrides` the operator's own keys, by action.
    """
    here: dict[str, tuple[list[str], str]] = {}
    known = set()
    # Those that can be bound otherwise go before Textual's, what everybody knows behind the rest.
    for binding in sorted(active, key=lambda each: (each.id is None, each.id in MOVING)):
        if binding.id is None and (binding.system or not binding.description.islower()):
            # Textual's own, in title case: scrolling, focus, copying.
            continue
        known.add(binding.id)
        keys, words = here.get(binding.action, ([], binding.description))
        here[binding.action] = ([*keys, binding.key], words)
    sections = [KeySection(HERE, list(here.values()))]
    for place in Place:
        elsewhere = [
            (overrides.get(name, key.keys).split(","), key.words)
            for name, key in KEYS.items()
            if key.place is place and name not in known
        ]
        if elsewhere and place is not Place.QUESTION:
            sections.append(KeySection(place, elsewhere))
    return sections
