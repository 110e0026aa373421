"""Colours: dark, light and none."""

from collections.abc import Mapping
from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

from farm.core.errors import ConfigurationError

DARK: Final = "farm-dark"
LIGHT: Final = "farm-light"
PLAIN: Final = "farm-plain"

# Success, warning and error are told apart from each other and read as text on the background,
# at a contrast of 4.5 to 1 or more (WCAG 2.2, 1.4.3).
THEMES: Final = (
    Theme(
        name=DARK,
        primary="#58a6ff",
        secondary="#7d8590",
        accent="#d2a8ff",
        success="#56d364",
        warning="#e3b341",
        error="#ff7b72",
        foreground="#e6edf3",
        background="#0d1117",
        surface="#161b22",
        panel="#21262d",
        variables={"block-cursor-text-style": "none", "text-muted": "#8b949e"},
    ),
    Theme(
        name=LIGHT,
        primary="#0550ae",
        secondary="#57606a",
        accent="#6639ba",
        success="#116329",
        warning="#7d4e00",
        error="#a40e26",
        foreground="#1f2328",
        background="#ffffff",
        surface="#f6f8fa",
        panel="#eaeef2",
        dark=False,
        variables={"block-cursor-text-style": "none", "text-muted": "#57606a"},
    ),
    # With no colour left, reverse and bold have to do.
    Theme(
        name=PLAIN,
        ansi=True,
        primary="ansi_default",
        secondary="ansi_default",
        accent="ansi_default",
        success="ansi_default",
        warning="ansi_default",
        error="ansi_default",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables={
            "ansi-background": "ansi_default",
            "ansi-foreground": "ansi_default",
            "block-cursor-foreground": "ansi_default",
            "block-cursor-background": "ansi_default",
            "block-cursor-text-style": "reverse",
            "input-cursor-text-style": "reverse",
            "input-selection-foreground": "ansi_default",
            "button-focus-text-style": "reverse",
        },
    ),
)

# By the second figure of COLORFGBG: the terminal's background, of ANSI's 16 colours.
_LIGHT_BACKGROUNDS: Final = frozenset({"7", "15"})


def theme_names() -> tuple[str, ...]:
    """Return the themes that can be chosen: the farm's own, then Textual's."""
    return (DARK, LIGHT, *sorted(BUILTIN_THEMES))


def checked_theme(name: str) -> str:
    """Return the name of a theme.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name not in theme_names():
        raise ConfigurationError(
            f"there is no theme '{name[:40]}'; known are {', '.join(theme_names())}"
        )
    return name


def fitting(environment: Mapping[str, str]) -> str:
    """Return the theme that fits the terminal, as far as that tells its background."""
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if background in _LIGHT_BACKGROUNDS else DARK
