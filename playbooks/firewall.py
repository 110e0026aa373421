"""The farm's nftables rules, as text."""

from collections.abc import Iterable
from ipaddress import ip_address

from farm.core.ports import CLUSTER_BASES, ClusterPorts


def ruleset(addresses: Iterable[str]) -> str:
    """Return a table of the farm's own in which only these addresses reach Ray's ports.

    Whoever reaches those may run code there (CVE-2023-48022); token and TLS come on top.
    Loading it replaces the table in one transaction and touches no other table. The
    gateway's port stays open to all; its own TLS decides who may call.
    """
    known = sorted({ip_address(address) for address in addresses}, key=lambda a: (a.version, a))
    rules = []
    for version, family in ((4, "ip"), (6, "ip6")):
        members = ", ".join(str(address) for address in known if address.version == version)
        if members:
            rules.append(f"{family} saddr {{ {members} }} accept")
    ranges = (ClusterPorts(base) for base in CLUSTER_BASES.values())
    ports = ", ".join(f"{ports.first}-{ports.last}" for ports in ranges)
    body = "\n".join(f"    {rule}" for rule in rules)
    return f"""\
#!/usr/sbin/nft -f
table inet farm
delete table inet farm
table inet farm {{
  chain ray {{
    iif lo accept
{body}
    counter drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    tcp dport {{ {ports} }} jump ray
    udp dport {{ {ports} }} jump ray
  }}
}}
"""
