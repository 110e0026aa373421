"""Whether a node takes new batches, as it remembers it over restarts."""

import os
from pathlib import Path


class Cordon:
    """A mark on the node's own disk: an operator took the node out of service.

    It is the node's and not a gateway's, so that every gateway finds it, the next one too.
    """

    def __init__(self, folder: Path) -> None:
        self._mark = folder / "cordoned"
        self.drawn = self._mark.exists()

    def draw(self, *, cordoned: bool) -> None:
        """Make or remove the mark; it lasts through a power cut.

        Raises:
            OSError: the disk does not take it; what was before stays.
        """
        if cordoned:
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.touch()
        else:
            self._mark.unlink(missing_ok=True)
        descriptor = os.open(self._mark.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.drawn = cordoned
