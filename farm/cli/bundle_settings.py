"""What a support bundle says of settings: what the farm is to be, which farms are known here."""

import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.cli.bundle_parts import Gathering
from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from farm.contexts import FarmFolder


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


def _content(path: Path) -> list[str]:
    """Return a secret's text if it is there and may be read."""
    with suppress(OSError, UnicodeDecodeError):
        return [path.read_text(encoding="utf-8").strip()]
    return []


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

    try:
        from farm.pki import inspect

        return certificate_document(inspect(path.read_bytes(), str(path)))
    # Whoever only sends requests needs no cryptography.
    except (ConfigurationError, OSError, ModuleNotFoundError) as error:
        return str(error)
