"""The IP addresses of hosts: Ray, certificates and firewalls know no names."""

import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from farm.core.errors import ConfigurationError
from farm.inventory import Host


def ip_addresses(hosts: Sequence[Host]) -> Mapping[str, str]:
    """Return the IP address of each host by its name.

    Raises:
        ConfigurationError: a host's address is a name that is not known here, or two hosts
            have one address.
    """
    found: dict[str, str] = {}
    for host in hosts:
        address = _resolved(host)
        twin = next((name for name, known in found.items() if known == address), None)
        if twin is not None:
            raise ConfigurationError(
                f"{host.name} and {twin} have one address, {address}: correct the inventory"
            )
        found[host.name] = address
    return found


def _resolved(host: Host) -> str:
    try:
        return str(ip_address(host.address))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host.address, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise ConfigurationError(
            f"{host.name}: its address {host.address} is not known here ({error.strerror}); write"
            " its IP address into the inventory"
        ) from error
