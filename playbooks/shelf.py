"""A farm that is being set up: what each of its hosts is to hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from farm.inventory import Host, Inventory
from playbooks import layout, services, settings, units
from playbooks.commands import Put
from playbooks.credentials import Credentials
from playbooks.firewall import ruleset
from playbooks.steps.base import Step
from playbooks.steps.files import Folder, Link, files, folders, links
from playbooks.steps.identity import certificate, trusted
from playbooks.steps.services import mounted, no_firewall, unit_files, walled


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What hosts hold is made from this alone.

    `addresses` are the hosts' IP addresses by name, `memory_mb` their memory as far as they
    were asked.
    """

    inventory: Inventory
    credentials: Credentials
    addresses: Mapping[str, str]
    memory_mb: Mapping[str, int]
    now: datetime

    def common(self, host: Host) -> Sequence[Step]:
        """Return what every host holds: who it is, whom it trusts, who reaches it."""
        gateway = self.inventory.farm.gateway
        called = (host.name, *(gateway.names if host.role.leads else ()))
        return (
            *trusted(host.name, self.credentials.authority, self.credentials.token),
            certificate(
                host.name,
                self.credentials.authority,
                now=self.now,
                addresses=[self.addresses[host.name], *filter(_is_ip, called)],
                names=[name for name in called if not _is_ip(name)],
            ),
            *self._firewall(),
        )

    def wall(self) -> Sequence[Step]:
        """Return the steps that bring the rules of the firewall up to date, and stop nothing."""
        if not self._walled:
            return ()
        units_of_wall = {services.firewall().unit: units.firewall_unit()}
        return (*self._firewall(), unit_files(units_of_wall), walled())

    def ground(self) -> Sequence[Step]:
        """Return the steps that start what every service stands on."""
        wall = (walled(),) if self._walled else ()
        return (*wall, mounted(units.RAY_MOUNT))

    def node(self, host: Host, release: str, cluster: str) -> Sequence[Step]:
        """Return what a host holds that serves and does not lead."""
        config = settings.node_settings(
            host,
            head=self.addresses[self.inventory.head.name],
            address=self.addresses[host.name],
            cluster=cluster,
        )
        memory = settings.memory_max_mb(host, self.memory_mb.get(host.name))
        return (
            *self.common(host),
            files("settings", [Put(content=config, to=layout.NODE_CONFIG)]),
            unit_files(
                {
                    **self._ground_units(),
                    services.node().unit: units.node_unit(
                        memory_max_mb=memory, firewall=self._walled, rapl=_has_rapl(host)
                    ),
                }
            ),
            links("release", [Link(path=layout.link("node"), target=layout.release(release))]),
        )

    def head(self, host: Host, release: str, cluster: str) -> Sequence[Step]:
        """Return what the host holds that leads: all but its gateway's settings."""
        config = settings.head_settings(host, address=self.addresses[host.name], cluster=cluster)
        memory = settings.memory_max_mb(host, self.memory_mb.get(host.name))
        return (
            *self.common(host),
            files("settings", [Put(content=config, to=layout.head_config(cluster))]),
            unit_files(
                {
                    **self._ground_units(),
                    units.HEAD_TEMPLATE: units.head_unit(
                        memory_max_mb=memory, firewall=self._walled, rapl=_has_rapl(host)
                    ),
                    units.GATEWAY_TEMPLATE: units.gateway_unit(memory_max_mb=memory),
                }
            ),
            links(
                "release",
                [Link(path=layout.link(f"head-{cluster}"), target=layout.release(release))],
            ),
        )

    def revocations(self) -> Sequence[Step]:
        """Return the steps that bring the head what is known of revoked certificates.

        A gateway that runs reads it again by itself.
        """
        listed = Put(content=self.credentials.revocations, to=layout.REVOCATIONS)
        return (files("revocations", [listed]),)

    def models(self, repository: Path) -> Sequence[Step]:
        """Return the steps that bring a model repository to the head."""
        found = sorted(path for path in repository.rglob("*") if path.is_file())
        relative = [path.relative_to(repository).as_posix() for path in found]
        parents = sorted({parent for name in relative for parent in _parents(name)})
        return (
            folders(
                "model folders",
                [Folder(path=f"{layout.MODELS}/{name}") for name in parents],
            ),
            files(
                "models",
                [
                    Put(content=path, to=f"{layout.MODELS}/{name}")
                    for path, name in zip(found, relative, strict=True)
                ],
            ),
        )

    def tokens(self) -> Sequence[Step]:
        """Return the steps that bring the head what the gateway knows of tokens.

        A gateway that runs reads it again by itself.
        """
        kept = Put(
            content=self.credentials.tokens,
            to=layout.TOKENS,
            mode=0o600,
            owner=f"{layout.USER}:{layout.USER}",
        )
        return (files("tokens", [kept]),)

    def gateway(
        self, release: str, *, cluster: str, letter: str, nodes: Mapping[str, int]
    ) -> Sequence[Step]:
        """Return what the gateway of a letter reads; `nodes` are the cores of those it has."""
        config = settings.gateway_settings(
            self.inventory,
            address=self.addresses[self.inventory.head.name],
            cluster=cluster,
            cores=nodes,
        )
        own = self.inventory.farm.power.baselines
        return (
            files(
                "gateway settings",
                [
                    Put(content=config, to=layout.gateway_config(letter)),
                    Put(content=own or settings.NO_BASELINES, to=layout.BASELINES),
                ],
            ),
            links(
                "gateway release",
                [Link(path=layout.link(f"gateway-{letter}"), target=layout.release(release))],
            ),
        )

    @property
    def _walled(self) -> bool:
        return self.inventory.farm.firewall

    def _firewall(self) -> Sequence[Step]:
        if self._walled:
            rules = ruleset(self.addresses.values()).encode()
            return (files("firewall", [Put(content=rules, to=layout.FIREWALL)]),)
        return no_firewall()

    def _ground_units(self) -> Mapping[str, str]:
        wall = {services.firewall().unit: units.firewall_unit()} if self._walled else {}
        return {**wall, units.RAY_MOUNT: units.ray_mount()}


def _has_rapl(host: Host) -> bool:
    return host.meter is not None and host.meter.type == "rapl"


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
