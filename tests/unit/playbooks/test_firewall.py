"""The firewall's text, as nftables itself reads it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from farm.core.ports import CLUSTER_BASES, ClusterPorts
from playbooks.firewall import ruleset

NFT = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def test_only_the_farms_addresses_reach_the_ports_of_both_clusters() -> None:
    text = ruleset(["198.18.0.11", "198.18.0.2", "2001:db8:0::1", "198.18.0.11"])
    assert "ip saddr { 198.18.0.2, 198.18.0.11 } accept" in text
    assert "ip6 saddr { 2001:db8::1 } accept" in text
    ranges = [f"{ClusterPorts(b).first}-{ClusterPorts(b).last}" for b in CLUSTER_BASES.values()]
    for protocol in ("tcp", "udp"):
        assert f"{protocol} dport {{ {', '.join(ranges)} }} jump ray" in text
    accepting = [line.strip() for line in text.splitlines() if line.endswith("accept")]
    assert len(accepting) == 3, "loopback and the two above"


@pytest.mark.parametrize("port", [22, 8001, 8002])
def test_ssh_and_the_gateway_are_nobodys_business_here(port: int) -> None:
    assert not re.search(rf"\b{port}\b", ruleset(["198.18.0.2"]))


@pytest.mark.skipif(
    NFT is None or os.getuid() != 0, reason="needs nftables, and root for a network of its own"
)
def test_nftables_replaces_the_farms_table_and_leaves_others_alone(tmp_path: Path) -> None:
    for name, address in (("before", "198.18.0.2"), ("after", "198.18.0.3")):
        (tmp_path / name).write_text(ruleset([address]))
    text = "nft add table inet other && nft -f before && nft -f after && nft list ruleset"
    # A network without interfaces, gone with the command: this machine's own is not touched.
    ended = subprocess.run(
        ["unshare", "--net", "sh", "-c", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "table inet other" in ended.stdout
    assert ended.stdout.count("saddr") == 1
    assert "ip saddr 198.18.0.3 accept" in ended.stdout
