"""What hosts and settings that are right each on its own can have wrong together."""

from collections.abc import Callable, Sequence

from farm.core.addresses import on_loopback
from farm.core.errors import ConfigurationError
from farm.core.ports import CLUSTER_BASES, ClusterPorts
from farm.core.suggestions import nearest
from farm.core.text import printable
from farm.inventory.model import FarmSettings, GatewaySettings, Host, Tls
from farm.inventory.yaml_tree import Key, Tree
from farm.sections.power import Power

# A host with the name, or range, under which the file has it.
Listed = tuple[str, Host]


def check(tree: Tree, farm: FarmSettings | None, hosts: Sequence[Listed]) -> None:
    """Note what contradicts what; `farm` is None if its section is wrong in itself."""
    whole = not any(problem.key.startswith("hosts") for problem in tree.problems)
    _check_distinct(tree, hosts, (), lambda host: host.name)
    _check_distinct(tree, hosts, ("address",), lambda host: host.address)
    _check_distinct(tree, hosts, ("meter",), _socket)
    if farm is None:
        return
    if farm.embedded is not None:
        _check_embedded(tree, farm)
    elif whole:
        _check_roles(tree, hosts)
    _check_gateway(tree, farm.gateway)
    if farm.power.currency is None and any(host.board_price is not None for _, host in hosts):
        tree.blame(("farm", "power", "currency"), "is missing, and boards have a price")
    _check_baseline(tree, farm.power)


def _check_baseline(tree: Tree, power: Power) -> None:
    try:
        known = power.catalogue().baselines
    except ConfigurationError as error:
        tree.blame(("farm", "power", "baselines"), printable(error.message, 300))
        return
    name = power.baseline
    if name is not None and name not in known:
        near = nearest(name, list(known)) or "; `farm baselines ls` has those that there are"
        tree.blame(("farm", "power", "baseline"), f"there is no baseline '{printable(name)}'{near}")


def _check_distinct(
    tree: Tree, hosts: Sequence[Listed], key: Key, what: Callable[[Host], str | None]
) -> None:
    """Note what several hosts have that each must have of its own."""
    owners: dict[str, str] = {}
    for names, host in hosts:
        value = what(host)
        if value is not None and value in owners:
            tree.blame(("hosts", names, *key), f"{value} belongs to hosts.{owners[value]} already")
        elif value is not None:
            owners[value] = names


def _socket(host: Host) -> str | None:
    """Return what a host's watts are read from, if another host could have it too."""
    if host.meter is None or host.meter.url is None:
        return None
    return f"{host.meter.url} channel {host.meter.channel}"


def _check_embedded(tree: Tree, farm: FarmSettings) -> None:
    if tree.content.get("hosts"):
        tree.blame(("hosts",), "must be left out of an embedded farm, which runs where you are")
    if "gateway" in farm.model_fields_set:
        tree.blame(
            ("farm", "gateway"),
            "must be left out of an embedded farm: give `farm up` --grpc and --metrics",
        )


def _check_roles(tree: Tree, hosts: Sequence[Listed]) -> None:
    heads = [names for names, host in hosts if host.role.leads]
    if not hosts:
        tree.blame(("hosts",), "are missing; a farm has hosts, or it has farm.embedded")
    elif not heads:
        tree.blame(("hosts",), "have no head; give one of them the role head, or both")
    elif not any(host.role.serves for _, host in hosts):
        tree.blame(("hosts",), "have nobody who serves; give one of them the role node, or both")
    for names in heads[1:]:
        tree.blame(("hosts", names, "role"), f"a farm has one head, which is hosts.{heads[0]}")


def _check_gateway(tree: Tree, gateway: GatewaySettings) -> None:
    for key in ("grpc", "metrics", "operators"):
        port = int(getattr(gateway, key).rpartition(":")[2])
        for ports in map(ClusterPorts, CLUSTER_BASES.values()):
            if ports.first <= port <= ports.last:
                tree.blame(
                    ("farm", "gateway", key), f"has a port of {ports.first} to {ports.last}, Ray's"
                )
    if gateway.tls is Tls.OFF:
        for key in ("grpc", "metrics"):
            address = getattr(gateway, key)
            if not on_loopback(address):
                tree.blame(
                    ("farm", "gateway", "tls"),
                    f"must not be off where other machines reach {key}, at {address}: mutual lets"
                    " in who has a certificate (`farm certs issue`), server who has a token (`farm"
                    " tokens issue`); or let it listen on 127.0.0.1",
                )
