"""What a support bundle says of this machine: software, hardware, environment, logs."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from farm import __version__
from farm.cli.bundle_parts import MOST_CHARACTERS, Gathering
from farm.cli.redaction import secrets_of
from farm.core.errors import ConfigurationError, UnreachableError

_DISTRIBUTION: Final = "bramble-farm"
_COMMAND_S: Final = 10.0
_JOURNAL_LINES: Final = 3_000

# Variables that change what commands do; of all others not even the names are told.
_PREFIXES: Final = ("FARM_", "RAY_", "GRPC_", "PYTHON", "TEXTUAL", "XDG_", "LC_")
_VARIABLES: Final = frozenset(
    ("COLORTERM", "COLUMNS", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LINES", "NO_COLOR", "NO_PROXY",
     "PATH", "SHELL", "TERM", "TERM_PROGRAM", "TZ", "VIRTUAL_ENV", "http_proxy", "https_proxy",
     "no_proxy")
)  # fmt: skip
_MEMORY: Final = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


def add_machine(gathering: Gathering, environment: Mapping[str, str]) -> None:
    """Add what this machine and its software are."""
    # Of all variables, those that are no part of the bundle too.
    gathering.secrets.update(secrets_of(dict(environment)))
    gathering.add("versions.json", _versions)
    gathering.add("machine.json", _machine)
    gathering.add("environment.json", lambda: _environment(environment))


def add_logs(gathering: Gathering, logs: Sequence[Path]) -> None:
    """Add the ends of log files, and what the farm's units on this machine logged last."""
    for number, path in enumerate(logs, 1):
        gathering.add(f"logs/{number}.txt", partial(_tail, path))
    units = "farm-*"
    for name, command in (
        ("units.txt", ("systemctl", "list-units", units, "--all", "--no-pager")),
        (
            "logs/journal.txt",
            ("journalctl", f"--unit={units}", f"--lines={_JOURNAL_LINES}", "--no-pager",
             "--output=short-iso", "--quiet"),
        ),
    ):  # fmt: skip
        if shutil.which(command[0]) is None:
            gathering.leave_out(name, f"there is no {command[0]} here")
        else:
            gathering.add(name, partial(_said, command))


def _versions() -> dict[str, Any]:
    required = metadata.requires(_DISTRIBUTION) or []
    names = {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in required}
    packages: dict[str, str | None] = {}
    for name in sorted(names - {_DISTRIBUTION}):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    return {
        "farm": __version__,
        "python": sys.version,
        "executable": sys.executable,
        "packages": packages,
    }


def _machine() -> dict[str, Any]:
    here = platform.uname()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "system": here.system,
        "release": here.release,
        "version": here.version,
        "architecture": here.machine,
        "distribution": _distribution(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "memory_bytes": _memory(),
        "disks": _disks(),
        "open_files": {"soft": soft, "hard": hard},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "zone": datetime.now(UTC).astimezone().tzname(),
    }


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _memory() -> dict[str, int]:
    """Return figures of Linux; elsewhere nothing."""
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = (line.split() for line in lines)
        return {key[:-1]: int(kib) << 10 for key, kib, *_ in fields if key[:-1] in _MEMORY}
    return {}


def _disks() -> list[dict[str, Any]]:
    from playbooks.layout import HOME

    disks = []
    for path in dict.fromkeys((str(Path.cwd()), str(Path.home()), tempfile.gettempdir(), HOME)):
        with suppress(OSError):
            usage = shutil.disk_usage(path)
            disks.append({"path": path, "total_bytes": usage.total, "free_bytes": usage.free})
    return disks


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in sorted(environment.items())
        if name.startswith(_PREFIXES) or name in _VARIABLES
    }


def _tail(path: Path) -> str:
    if not path.is_file():
        # A pipe would be waited for.
        raise ConfigurationError(f"{path} is no file")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - MOST_CHARACTERS))
            text = file.read(MOST_CHARACTERS).decode("utf-8", "replace")
            if size > MOST_CHARACTERS:
                # Of a line that is cut nobody knows what it was.
                text = text.partition("\n")[2]
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    return f"{path}, {size} bytes\n\n{text}"


def _said(command: Sequence[str]) -> str:
    """Return what a command prints.

    Raises:
        UnreachableError: it failed, or did not end in time.
    """
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_S,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(f"{command[0]}: {error}") from error
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip()
        raise UnreachableError(f"{command[0]} ended with {ended.returncode}: {said}")
    return ended.stdout.decode("utf-8", "replace")
