"""How an operator wants the screen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tui.choices import Choices


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOptions:
    """What `farm top` was asked for.

    `frames_per_s` bounds how often the screen is painted anew: each paint travels over SSH.
    `keys` has the keys of actions that are bound otherwise than by default, as
    `tui.keys.checked_keys` returns them; `theme` is a name of `tui.theme`, "" for the dark one.
    `choices` are those of earlier starts; `keep` is given those of this one, blocks, and raises
    ConfigurationError where they cannot be kept. `notice` is told at the beginning.
    """

    read_only: bool = False
    ascii_only: bool = False
    no_color: bool = False
    theme: str = ""
    frames_per_s: float = 4.0
    choices: Choices = field(default_factory=Choices)
    keep: Callable[[Choices], None] = lambda _: None
    notice: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
