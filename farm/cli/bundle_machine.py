"""What a support bundle says of this machine: software, hardware, settings, logs."""

import os
import platform
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from farm import __version__
from farm.cli.bundle_parts import MOST_CHARACTERS, Gathering
from farm.cli.redaction import names_secret
from farm.core.errors import ConfigurationError, UnreachableError

if TYPE_CHECKING:
    from farm.contexts import FarmFolder

_DISTRIBUTION: Final = "bramble-farm"
_COMMAND_S: Final = 10.0
_JOURNAL_LINES: Final = 3_000

# Variables that change what commands do; of all others not even the names are told.
_PREFIXES: Final = ("FARM_", "RAY_", "GRPC_", "OTEL_", "PYTHON", "TEXTUAL", "XDG_", "LC_")
_VARIABLES: Final = frozenset(
    ("COLORTERM", "COLUMNS", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LINES", "NO_COLOR", "NO_PROXY",
     "PATH", "SHELL", "TERM", "TERM_PROGRAM", "TZ", "VIRTUAL_ENV", "http_proxy", "https_proxy",
     "no_proxy")
)  # fmt: skip
_MEMORY: Final = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


def add_machine(gathering: Gathering, environment: Mapping[str, str]) -> None:
    """Add what this machine and its software are."""
    gathering.secrets.update(
        value for name, value in environment.items() if names_secret(name) and value
    )
    gathering.add("versions.json", _versions)
    gathering.add("machine.json", _machine)
    gathering.add("environment.json", lambda: _environment(environment))


def add_settings(gathering: Gathering, *, config: Path | None, inventory: Path | None) -> None:
    """Add the files that say what the farm is to be, with what is wrong with them."""
    if config is None:
        gathering.leave_out("config", "there is none: --config, or FARM_CONFIG, names one")
    else:
        gathering.add("config.json", lambda: _yaml(config, _config_problem))
    if inventory is None:
        gathering.leave_out("inventory", "there is none: -i, or FARM_INVENTORY, names one")
    else:
        gathering.add("inventory.json", lambda: _yaml(inventory, _inventory_problem))
    from playbooks.layout import RAY_TOKEN, SETTINGS

    # Where this machine serves.
    gathering.secrets.update(_content(Path(RAY_TOKEN)))
    for path in sorted(Path(SETTINGS).glob("*.yaml")):
        gathering.add(f"host/{path.stem}.json", partial(_yaml, path, None))


def add_contexts(gathering: Gathering, environment: Mapping[str, str]) -> None:
    """Add which farms this machine knows, and what it has of each: no keys, no tokens."""
    from farm.contexts import FarmHome

    home = FarmHome.of(environment)
    gathering.add("contexts.json", lambda: _contexts(home.path, home.current(), home.farms()))
    for farm in home.farms():
        gathering.secrets.update(_content(home.folder(farm).ray_token))


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


def _content(path: Path) -> list[str]:
    """Return a secret's text if it is there and may be read."""
    with suppress(OSError, UnicodeDecodeError):
        return [path.read_text(encoding="utf-8").strip()]
    return []


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


def _yaml(path: Path, problem: Callable[[Path], str | None] | None) -> dict[str, Any]:
    """Return a file's content as data: in text no comment and no odd quoting could be seen through.

    Raises:
        ConfigurationError: it cannot be read, or is no YAML.
    """
    from farm.inventory.yaml_tree import read_text, read_tree

    tree = read_tree(read_text(path), file=str(path), foreign_tags=True)
    found = {"file": str(path), "content": tree.content}
    return found if problem is None else {**found, "problem": problem(path)}


def _config_problem(path: Path) -> str | None:
    from farm.config import load_config

    return _problem(lambda: load_config(path, {}, {}))


def _inventory_problem(path: Path) -> str | None:
    from farm.inventory import load_inventory

    return _problem(lambda: load_inventory(path))


def _problem(read: Callable[[], object]) -> str | None:
    try:
        read()
    except ConfigurationError as error:
        return error.message
    return None


def _contexts(home: Path, current: str | None, farms: Sequence[str]) -> dict[str, Any]:
    from farm.contexts import FarmHome

    known = FarmHome(home)
    contexts = []
    for farm in farms:
        folder = known.folder(farm)
        try:
            address, problem = known.context(farm).address, None
        except ConfigurationError as error:
            address, problem = None, error.message
        contexts.append(
            {"farm": farm, "address": address, "problem": problem, "files": _files(folder)}
        )
    return {"home": str(home), "current": current, "contexts": contexts}


def _files(folder: "FarmFolder") -> list[dict[str, Any]]:
    """Return what is there, and of certificates what they say."""
    found = []
    for path in sorted(folder.path.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            entry: dict[str, Any] = {
                "name": str(path.relative_to(folder.path)),
                "bytes": status.st_size,
                "mode": f"{stat.S_IMODE(status.st_mode):o}",
            }
            if path.suffix == ".pem" and not path.stem.endswith("key"):
                entry["certificate"] = _certificate(path)
            found.append(entry)
    return found


def _certificate(path: Path) -> Any:
    from farm.cli.certs import certificate_document
    from farm.pki import inspect

    try:
        return certificate_document(inspect(path.read_bytes(), str(path)))
    except (ConfigurationError, OSError) as error:
        return str(error)


def _tail(path: Path) -> str:
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
