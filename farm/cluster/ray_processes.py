"""Ray's processes on a machine, all of which belong to the one that started them."""

import ctypes
import errno
import os
import signal
from contextlib import suppress
from time import monotonic, sleep
from typing import Final

import psutil

# Without them nothing works; Ray's agents end with their raylet.
_VITAL: Final = ("raylet", "gcs_server")

# What a worker calls itself until it runs something.
_IDLE: Final = "ray::IDLE"

_PR_SET_CHILD_SUBREAPER: Final = 36

_GOODBYE_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1


def adopt_orphans() -> bool:
    """Become the parent of all descendants whose own parent ends; return whether that is so.

    Emulators of other CPUs know nothing of it. Then the service manager is their parent, and
    ends what is left of them after this process.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0
    if refused and ctypes.get_errno() != errno.EINVAL:
        raise OSError(ctypes.get_errno(), "the kernel refuses to make this process a subreaper")
    return not refused


def vital_processes() -> dict[int, str]:
    """Return Ray's own processes among this one's children, by pid."""
    vital = {}
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.name() in _VITAL and child.status() != psutil.STATUS_ZOMBIE:
                vital[child.pid] = child.name()
    return vital


def end_dashboard() -> None:
    """End the server of Ray's dashboard: with none to serve it only takes 70 MB.

    Ray 2.60 starts it all the same, for the usage statistics that are switched off too.
    """
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if any(part.endswith("/dashboard/dashboard.py") for part in child.cmdline()):
                child.kill()


class IdleWorkers:
    """Workers that Ray has started, and that wait for what they are to run.

    That takes a moment. Ray 2.60 lends a worker for ever to a head that loses power while the
    worker starts: nothing is told to run in it, and what the next head wants waits behind it.
    """

    def __init__(self, *, longest_s: float) -> None:
        self._longest_s = longest_s
        self._since_s: dict[psutil.Process, float] = {}

    def end(self, now_s: float) -> int:
        """End those that have been seen idle for too long; return how many.

        Ray then starts another for whatever waits.
        """
        idle = {each for each in psutil.Process().children(recursive=True) if _is_idle(each)}
        self._since_s = {each: self._since_s.get(each, now_s) for each in idle}
        ended = 0
        for each, since_s in self._since_s.items():
            if now_s - since_s > self._longest_s:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
                    ended += 1
        return ended


def _is_idle(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.name() == _IDLE
    return False


def bury() -> dict[int, str]:
    """Take leave of children that have ended; return how each did, by pid."""
    ended = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = _how(os.waitstatus_to_exitcode(status))
    return ended


def say_goodbye() -> None:
    """Let the raylet tell the head that it leaves, and end its workers."""
    raylets = {pid for pid, name in vital_processes().items() if name == "raylet"}
    for pid in raylets:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = monotonic() + _GOODBYE_S
    while raylets and monotonic() < until:
        sleep(_LOOK_EVERY_S)
        raylets -= bury().keys()


def end_all() -> None:
    """End every descendant of this process by force.

    The head's control store needs no more: for as long as machines are connected to it it
    does not end on a signal, and it loses nothing when it is killed.
    """
    # What a killed process leaves becomes this one's child, until there is no more.
    while family := psutil.Process().children(recursive=True):
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=_LOOK_EVERY_S)
        bury()


def _how(exit_code: int) -> str:
    return f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
