"""The services of a host: their units, and what each reads when it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from playbooks import layout
from playbooks.commands import sh

# Where a unit keeps what it was started with: in memory, as a boot starts everything anew.
STARTED: Final = "/run/farm-started"


def retired(unit: str) -> str:
    """Return the file by which an instance that was told to leave is not started again."""
    return f"{STARTED}/{unit}.retired"


# Prints one line that stands for the content of the files and the targets of the links it is
# given. Part of every unit, so that a start by hand, at boot or after a crash counts too.
STAMP_SCRIPT: Final = """\
#!/bin/sh
for path; do
  printf '%s %s\\n' "$path" "$(readlink -- "$path" || sha256sum < "$path")"
done 2>/dev/null | sha256sum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A unit, and the paths of all that it reads when it starts: files, and links to releases.

    `unit` is what systemd calls it, with the letter of its instance. One that `reloads` takes
    its inputs anew without a restart, which would restart the units that require it as well.
    """

    unit: str
    inputs: Sequence[str]
    reloads: bool = False

    @property
    def marker(self) -> str:
        """The file with the stamp of the inputs that the unit was started with."""
        return f"{STARTED}/{self.unit}"

    @property
    def stamp(self) -> str:
        """The command that prints the stamp of the inputs as they are now."""
        return sh("sh", layout.STAMP, *self.inputs)


_OF_ALL = (layout.CA, layout.CERTIFICATE, layout.RAY_TOKEN)


def node() -> Service:
    unit = "farm-node.service"
    own = (f"{layout.UNITS}/{unit}", layout.link("node"), layout.NODE_CONFIG)
    return Service(unit=unit, inputs=(*own, *_OF_ALL))


def head(letter: str) -> Service:
    """Return Ray's head of the cluster `a` or `b`; `%i` is what its template calls the letter."""
    return _instance("head", letter, layout.head_config(letter))


def gateway(letter: str) -> Service:
    """Return the gateway `a` or `b`; `%i` is what its template calls the letter."""
    return _instance("gateway", letter, layout.gateway_config(letter), layout.BASELINES)


def firewall() -> Service:
    unit = "farm-firewall.service"
    return Service(unit=unit, inputs=(f"{layout.UNITS}/{unit}", layout.FIREWALL), reloads=True)


def _instance(service: str, letter: str, *settings: str) -> Service:
    unit, link = f"{layout.UNITS}/farm-{service}@.service", layout.link(f"{service}-{letter}")
    own = (unit, link, *settings)
    return Service(unit=f"farm-{service}@{letter}.service", inputs=(*own, *_OF_ALL))
