"""Files that make a host look like one that cannot serve, and how much of that is real."""

from dataclasses import dataclass
from typing import Final

FAKETIME: Final = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a host's tree; `mode` as in `chmod`."""

    path: str
    content: str
    mode: int = 0o644


def clock_in_1970(now_s: float) -> tuple[File, ...]:
    """Start a clock at 1 January 1970 now, for all that SSH runs, under sudo too.

    Time goes on from there. The kernel's clock is not touched and units are not deceived, so
    `timedatectl` and the journal still tell the true time.
    """
    variables = (
        f"LD_PRELOAD={FAKETIME}",
        f"FAKETIME=-{int(now_s)}",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    )
    return (
        File(path="/etc/ssh/sshd_config.d/clock.conf", content=f"SetEnv {' '.join(variables)}\n"),
        # sudo clears the environment and sets this one in its place.
        File(path="/etc/faketime.env", content="\n".join(variables) + "\n"),
        File(
            path="/etc/sudoers.d/030_clock",
            content="Defaults env_file=/etc/faketime.env\n",
            mode=0o440,
        ),
    )


def thirty_two_bits() -> tuple[File, ...]:
    """Look like a 32-bit system to all that SSH runs.

    `uname` says i686 because the kernel really answers so; `getconf` and `dpkg` are stand-ins
    where they name the word size. Programs are still 64-bit ones.
    """
    getconf = _in_place_of("/usr/bin/getconf", "LONG_BIT", "32")
    dpkg = _in_place_of("/usr/bin/dpkg", "--print-architecture", "i386")
    return (
        File(
            path="/etc/systemd/system/ssh.service.d/personality.conf",
            content="[Service]\nPersonality=x86\n",
        ),
        File(path="/usr/local/bin/getconf", content=getconf, mode=0o755),
        File(path="/usr/local/bin/dpkg", content=dpkg, mode=0o755),
    )


def other_python(version: str) -> tuple[File, ...]:
    """Make `python3` say that it is another version, as a command and from within."""
    major, minor, micro = version.split(".")
    command = _in_place_of("/usr/bin/python3", "--version|-V", f"Python {version}")
    within = f"""\
import collections
import sys

Version = collections.namedtuple("Version", "major minor micro releaselevel serial")
sys.version_info = Version({major}, {minor}, {micro}, "final", 0)
sys.version = "{version} (default) [GCC]"
sys.hexversion = {int(major)} << 24 | {int(minor)} << 16 | {int(micro)} << 8 | 0xF0
"""
    return (
        File(path="/usr/local/bin/python3", content=command, mode=0o755),
        File(path="/etc/python3.11/sitecustomize.py", content=within),
    )


def _in_place_of(program: str, questions: str, answer: str) -> str:
    return f"""\
#!/bin/sh
case "$*" in
{questions}) echo '{answer}' ;;
*) exec {program} "$@" ;;
esac
"""
