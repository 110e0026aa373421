"""The pages that `farm top --web` answers with."""

from html import escape
from typing import Final

# Everything comes from the server itself; xterm.js sets styles of its own.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)

# The element's class, its data and the classes that the body gets are textual-serve's.
_SCREEN: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/css/xterm.css">
<style>
@font-face {{
  font-family: "Roboto Mono";
  src: url("static/fonts/RobotoMono-VariableFont_wght.ttf");
}}
html, body {{ margin: 0; height: 100%; background: #0d1117; color: #e6edf3; }}
body {{ font: 16px "Roboto Mono", monospace; overflow: hidden; }}
#terminal {{ width: 100vw; height: 100vh; }}
#wait, #closed {{ position: absolute; inset: 0; padding: 2em; background: inherit; z-index: 9; }}
#closed, body.-first-byte #wait {{ display: none; }}
body.-closed #closed {{ display: block; background: #0d1117; }}
</style>
<script src="static/js/textual.js"></script>
</head>
<body>
<p id="wait">Starting the screen. Should it not come, the terminal of farm top --web says why.</p>
<p id="closed">This screen has ended. Load the page again for a new one.</p>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{socket}"
 data-font-size="16"></div>
</body>
</html>
"""

_REFUSAL: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>farm top: refused</title></head>
<body><h1>Refused</h1><p>{why}</p></body>
</html>
"""


def screen_page(title: str, socket: str) -> str:
    """Return the page with a terminal in it, whose other end is at a WebSocket's URL."""
    return _SCREEN.format(title=escape(title), socket=escape(socket))


def refusal_page(why: str) -> str:
    """Return what somebody sees who may not see the screen."""
    return _REFUSAL.format(why=escape(why))
