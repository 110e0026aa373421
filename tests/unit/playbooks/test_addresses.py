"""Hosts' IP addresses, where the inventory has names."""

import pytest

from farm.core.errors import ConfigurationError
from playbooks.addresses import ip_addresses
from tests.unit.playbooks.hosts import host


def test_addresses_come_in_their_shortest_form() -> None:
    hosts = [host("a", address="198.18.0.2"), host("b", address="2001:db8:0:0::1")]
    assert ip_addresses(hosts) == {"a": "198.18.0.2", "b": "2001:db8::1"}


def test_names_are_resolved_here() -> None:
    known = host("a").model_copy(update={"address": "localhost"})
    assert ip_addresses([known])["a"] in ("127.0.0.1", "::1")


def test_a_name_that_nobody_knows() -> None:
    unknown = host("pi-1", address="pi-1.invalid")
    with pytest.raises(ConfigurationError, match=r"pi-1: its address pi-1\.invalid is not known"):
        ip_addresses([unknown])


def test_one_machine_under_two_names() -> None:
    hosts = [host("a", address="198.18.0.2"), host("b", address="198.18.0.2")]
    with pytest.raises(ConfigurationError, match=r"b and a have one address, 198\.18\.0\.2"):
        ip_addresses(hosts)
