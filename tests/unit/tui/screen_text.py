"""What a screen shows, as text."""

from typing import Any

from textual.app import App


def screen_lines(app: App[Any]) -> list[str]:
    """Return the lines of the screen on top as they are painted, without their colours."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def screen_text(app: App[Any]) -> str:
    return "\n".join(screen_lines(app))
