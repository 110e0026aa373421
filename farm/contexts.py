"""What the operator's machine knows of its farms: where each is, and by what it is trusted.

`FARM_HOME`, or the user's configuration folder, holds `current`, the name of the farm that
commands mean when they are told nothing else, and a folder for each farm.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from platformdirs import user_config_path

from farm.core.errors import ConfigurationError
from farm.core.identities import NAME
from farm.core.private_files import replace_file

HOME_VARIABLE: Final = "FARM_HOME"

_APPLICATION: Final = "bramble-farm"
_CONTEXT: Final = "context.json"
_TEXTS: Final = ("address", "server_name")
_FILES: Final = ("ca", "certificate", "key", "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How a farm's gateway is reached.

    Without `ca` the connection is not encrypted. `certificate` and `key` are what the client
    shows; `server_name` is the name to expect in the gateway's certificate where that is not
    the address's. `token` is the file with the token that goes with every call.
    """

    farm: str
    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    token: Path | None = None


@dataclass(frozen=True, slots=True)
class FarmFolder:
    """The files that are kept of one farm."""

    path: Path

    @property
    def context(self) -> Path:
        return self.path / _CONTEXT

    @property
    def known_hosts(self) -> Path:
        """The SSH host keys that the operator trusts."""
        return self.path / "known_hosts"

    @property
    def authority(self) -> Path:
        """The folder of the farm's CA (`farm.pki.Authority`)."""
        return self.path / "ca"

    @property
    def issued(self) -> Path:
        """A folder with a copy of each certificate that the CA has issued, without its key."""
        return self.path / "issued"

    @property
    def operator_certificate(self) -> Path:
        return self.path / "operator.pem"

    @property
    def operator_key(self) -> Path:
        return self.path / "operator-key.pem"

    @property
    def tokens(self) -> Path:
        """What is kept of the tokens that were issued (`farm.core.tokens`): no secret of any."""
        return self.path / "tokens.json"

    @property
    def ray_token(self) -> Path:
        return self.path / "ray-token"


class FarmHome:
    """The folder of all farms."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Return the one that the environment names, or the user's."""
        given = environment.get(HOME_VARIABLE)
        return cls(Path(given) if given else user_config_path(_APPLICATION))

    def folder(self, farm: str) -> FarmFolder:
        """Return where a farm's files are, whether or not there are any.

        Raises:
            ConfigurationError: no farm can have that name.
        """
        if not NAME.fullmatch(farm):
            raise ConfigurationError(
                f"no farm is called '{farm[:80]}': names are letters, digits, dots, dashes and"
                " underscores"
            )
        return FarmFolder(self.path / "farms" / farm)

    def farms(self) -> tuple[str, ...]:
        """Return the names of the farms that have a context, in order."""
        found = (self.path / "farms").glob(f"*/{_CONTEXT}")
        return tuple(sorted(path.parent.name for path in found))

    def context(self, farm: str) -> Context:
        """Return a farm's context.

        Raises:
            ConfigurationError: there is none, or its file is damaged.
        """
        folder = self.folder(farm)
        try:
            text = folder.context.read_text(encoding="utf-8")
        except OSError as error:
            known = ", ".join(self.farms()) or "none"
            raise ConfigurationError(
                f"there is no context '{farm}' in {self.path} (known: {known}); `farm bootstrap`"
                " writes one"
            ) from error
        return _from_json(farm, folder, text)

    def write(self, context: Context) -> None:
        """Keep a farm's context. Files inside the farm's folder are named relative to it.

        Raises:
            ConfigurationError: it cannot be written.
        """
        folder = self.folder(context.farm)
        values = {key: getattr(context, key) for key in (*_TEXTS, *_FILES)}
        for key in _FILES:
            path: Path | None = values[key]
            if path is not None:
                inside = path.is_relative_to(folder.path)
                values[key] = str(path.relative_to(folder.path) if inside else path.absolute())
        kept = {key: value for key, value in values.items() if value is not None}
        replace_file(folder.context, (json.dumps(kept, indent=2) + "\n").encode())

    def current(self) -> str | None:
        """Return the name of the farm that commands mean when told nothing else.

        Raises:
            ConfigurationError: the file that says so cannot be read.
        """
        try:
            return (self.path / "current").read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.path / 'current'} cannot be read: {error}") from error

    def use(self, farm: str) -> None:
        """Make a farm the one that commands mean.

        Raises:
            ConfigurationError: it has no context, or the choice cannot be written.
        """
        self.context(farm)
        replace_file(self.path / "current", f"{farm}\n".encode())


def _from_json(farm: str, folder: FarmFolder, text: str) -> Context:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{folder.context} is not JSON: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("address"), str):
        raise ConfigurationError(f"{folder.context} has no address; `farm bootstrap` writes one")
    for key in (*_TEXTS, *_FILES):
        if not isinstance(values.get(key), str | None):
            raise ConfigurationError(f"{folder.context}: {key} must be text")

    def file(key: str) -> Path | None:
        return folder.path / values[key] if values.get(key) else None

    return Context(
        farm=farm,
        address=values["address"],
        server_name=values.get("server_name"),
        ca=file("ca"),
        certificate=file("certificate"),
        key=file("key"),
        token=file("token"),
    )
