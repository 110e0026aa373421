"""Other versions of the farm's code: copies of what is installed here, with a change."""

import re
import shutil
from pathlib import Path

import farm
import playbooks
import tui


def make_version(folder: Path, version: str, *edits: tuple[str, str, str]) -> Path:
    """Copy the farm's packages into a new folder as this version, and return it.

    An edit is a file, a text that stands in it once, and what is to stand there instead.
    """
    for package in (farm, playbooks, tui):
        (source,) = package.__path__
        name = package.__name__
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    root = folder / "farm" / "__init__.py"
    own = re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', root.read_text())
    root.write_text(own)
    for name, before, after in edits:
        file = folder / name
        text = file.read_text()
        assert text.count(before) == 1, f"{name} has another form now"
        file.write_text(text.replace(before, after))
    return folder
