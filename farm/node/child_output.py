"""Standard output of a child process, kept for its answers alone."""

import os
import sys
from typing import BinaryIO


def own_output() -> BinaryIO:
    """Return standard output, and lead what native code prints there to nowhere."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return own
