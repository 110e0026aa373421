"""The colour that a theme has for each role of a text."""

from typing import Final

from tui.readings.cell_text import Role

# Component classes of every widget that paints text by its role.
ROLE_CLASSES: Final = frozenset(f"role--{role}" for role in Role)

_STYLES: Final = {
    Role.PLAIN: "color: $foreground;",
    Role.STRONG: "color: $foreground; text-style: bold;",
    Role.MUTED: "color: $text-muted;",
    Role.GOOD: "color: $text-success;",
    Role.WARNING: "color: $text-warning;",
    Role.ERROR: "color: $text-error; text-style: bold;",
    Role.TREND: "color: $accent;",
}


def role_css(widget: str) -> str:
    """Return the styles of a widget's roles."""
    return "\n".join(f"{widget} > .role--{role} {{ {rule} }}" for role, rule in _STYLES.items())
