"""The palette: everything that can be done here, and every node and model by name."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from farm.core.text import printable
from tui.keys import MOVING
from tui.theme import theme_names
from tui.top import Top


class _Command(NamedTuple):
    words: str
    run: Callable[[], Awaitable[object] | object]
    key: str = ""

    def shown(self, words: Content) -> Content:
        return Content.assemble(words, (f"  {self.key}", "$text-muted"))


class FarmCommands(Provider):
    """Offers the actions of the screen below by what they do, then what can be opened."""

    async def discover(self) -> Hits:
        for command in self._actions():
            shown = command.shown(Content(command.words))
            yield DiscoveryHit(shown, command.run, text=command.words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in (*self._actions(), *self._names()):
            score, offsets = matcher.fuzzy_search.match(query, command.words)
            if score > 0:
                # Matcher.highlight would take a name of the farm for markup.
                words = Content(command.words)
                for offset in offsets:
                    words = words.stylize(matcher.match_style, offset, offset + 1)
                yield Hit(score, command.shown(words), command.run, text=command.words)

    def _actions(self) -> Iterator[_Command]:
        seen = {None, "palette", *MOVING}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.id in seen or not active.enabled:
                continue
            seen.add(binding.id)
            run: Callable[[], Any] = partial(self.app.run_action, binding.action, active.node)
            yield _Command(binding.description, run, self.app.get_key_display(binding))

    def _names(self) -> Iterator[_Command]:
        top = cast(Top, self.app)
        reading = top.store.reading
        if reading is not None:
            for node_id in reading.nodes:
                yield _Command(f"open node {printable(node_id)}", partial(top.open_node, node_id))
            for name in dict.fromkeys(model.model.key.name for model in reading.models):
                yield _Command(f"open model {printable(name)}", partial(top.open_model, name))
        for name in theme_names():
            yield _Command(f"theme {name}", partial(top.use_theme, name))
