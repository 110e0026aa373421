"""One command at a time changes a farm from this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from farm.contexts import FarmFolder
from farm.core.errors import FarmError
from farm.core.private_files import locked


class FarmInUseError(FarmError):
    """Another command of this machine is changing the farm."""


@contextmanager
def alone(folder: FarmFolder) -> Iterator[None]:
    """Keep other commands from changing a farm meanwhile; ends with the process in any case.

    Two at once would each make a CA, and take each other's half-made files for their own.

    Raises:
        FarmInUseError: another command is changing it now.
        ConfigurationError: the farm's folder cannot be written.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder.path / "farm", wait=False))
        except BlockingIOError:
            raise FarmInUseError(
                f"another farm command on this machine is changing farm '{folder.path.name}'; run"
                " this again when it has ended"
            ) from None
        yield
