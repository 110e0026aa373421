"""The certificates of a farm's machines are renewed while it serves."""

import ssl

import pytest
from shelf_farm import ShelfFarm
from traffic import Traffic

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

# What bootstrap says when Ray's head, which it leaves alone, has not read what is new.
TO_UPGRADE = "Ray's head still runs what it was started with"


def certificates(shelf: ShelfFarm) -> dict[str, bytes]:
    """Return the certificate that lies on each host, as DER."""
    return {
        host.name: ssl.PEM_cert_to_DER_cert(host.shell("cat /etc/farm/tls/cert.pem"))
        for host in shelf.hosts
    }


def shown(shelf: ShelfFarm) -> bytes:
    """Return the certificate that the gateway shows to a new connection, as DER."""
    address, _, port = shelf.address.rpartition(":")
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((address, int(port))))


def test_certificates_are_renewed_under_load_and_no_request_fails(shelf: ShelfFarm) -> None:
    before = certificates(shelf)
    assert shown(shelf) == before[shelf.head.name]
    # A key that others could read is taken for one that they have.
    for host in shelf.hosts:
        host.shell("chmod 0644 /etc/farm/tls/key.pem")
    with Traffic(shelf.address, shelf.developer) as traffic:
        ended = shelf.operator.bootstrap(shelf.inventory)
        traffic.await_answers()
    assert ended.exit_code == 0, ended.said
    assert traffic.failures == []
    assert TO_UPGRADE in ended.said
    after = certificates(shelf)
    assert all(after[name] != before[name] for name in before)
    assert shown(shelf) == after[shelf.head.name]
    with Traffic(shelf.address, shelf.developer) as traffic:
        upgraded = shelf.operator.farm("upgrade", "-i", shelf.inventory, "--output", "json")
        traffic.await_answers()
    assert upgraded.exit_code == 0, upgraded.said
    assert traffic.failures == []
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))
    again = shelf.operator.bootstrap(shelf.inventory)
    assert again.exit_code == 0, again.said
    assert TO_UPGRADE not in again.said
    assert certificates(shelf) == after
