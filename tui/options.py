"""How an operator wants the screen."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOptions:
    """What `farm top` was asked for.

    `frames_per_s` bounds how often the screen is painted anew: each paint travels over SSH.
    `keys` has the keys of actions that are bound otherwise than by default, as
    `tui.keys.checked_keys` returns them; `theme` is a name of `tui.theme`, "" for the dark one.
    """

    read_only: bool = False
    ascii_only: bool = False
    no_color: bool = False
    theme: str = ""
    frames_per_s: float = 4.0
    keys: Mapping[str, str] = field(default_factory=dict)
