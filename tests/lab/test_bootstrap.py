"""`farm bootstrap` makes a farm of bare hosts that serves, stays, and is closed to others."""

import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import digit_requests
import pytest
import tritonclient.grpc as triton
from lab import Host
from shelf_farm import ShelfFarm
from shelf_load import services
from traffic import Traffic

from farm.core.ports import CLUSTER_BASES, ClusterPorts

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

SSH, GATEWAY, OPERATORS = 22, 8001, 8003
RAYS_PORTS = {
    port
    for ports in map(ClusterPorts, CLUSTER_BASES.values())
    for port in range(ports.first, ports.last + 1)
}
# As `systemctl show` says it.
HARDENED = {
    "User": "farm",
    "Group": "farm",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "WatchdogUSec": "30s",
}


def test_bare_hosts_become_a_farm(shelf: ShelfFarm) -> None:
    assert {host["status"] for host in shelf.first.hosts.values()} == {"changed"}
    run = shelf.first.document["run"]
    assert {golden["model"] for golden in run["goldens"]} == {"digits", "digits_int8"}
    assert not [golden for golden in run["goldens"] if golden["problem"]]
    assert run["receipt"]["node"] in {node.name for node in shelf.nodes}
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))


def test_digits_through_mutual_tls(shelf: ShelfFarm) -> None:
    with digit_requests.client(shelf.address, shelf.developer) as connection:
        answer = digit_requests.ask(connection)
    assert answer.node in {node.name for node in shelf.nodes}


def test_a_client_without_certificate_is_refused(shelf: ShelfFarm) -> None:
    with pytest.raises(triton.InferenceServerException, match="UNAVAILABLE"):
        ask_without_certificate(shelf.address, str(shelf.developer / "ca.pem"))
    with (
        triton.InferenceServerClient(shelf.address) as in_the_clear,
        pytest.raises(triton.InferenceServerException, match="UNAVAILABLE"),
    ):
        digit_requests.ask(in_the_clear)


def test_a_second_run_changes_nothing(shelf: ShelfFarm) -> None:
    again = shelf.operator.bootstrap(shelf.inventory)
    assert again.exit_code == 0, again.said
    assert {name: host["changes"] for name, host in again.hosts.items()} == {
        host.name: [] for host in shelf.hosts
    }


def test_the_doctor_finds_a_farm_well(shelf: ShelfFarm) -> None:
    examined = shelf.operator.farm("doctor", "-i", shelf.inventory, "--output", "json")
    assert examined.exit_code == 0, examined.said


def test_only_the_farms_hosts_reach_ray(shelf: ShelfFarm) -> None:
    open_to_all = {SSH, GATEWAY}
    for host in shelf.hosts:
        listening = listening_ports(host)
        rays = listening - open_to_all
        assert rays, f"{host.name} takes no part in Ray's cluster"
        assert rays <= RAYS_PORTS
        friend = next(other for other in shelf.hosts if other is not host)
        assert reached_from(friend, host.address, listening) == listening
        # This machine has an address in their network that no inventory names.
        with ThreadPoolExecutor(len(listening)) as pool:
            answers = pool.map(lambda port, host=host: is_reached(host.address, port), listening)
        assert {port for port, reached in zip(listening, answers, strict=True) if reached} == (
            listening & open_to_all
        )


def test_rules_that_somebody_flushed_come_back(shelf: ShelfFarm) -> None:
    node = shelf.nodes[0]
    node.shell("nft flush ruleset")
    examined = shelf.operator.farm("doctor", "-i", shelf.inventory, "--output", "json")
    assert examined.exit_code == 3, examined.said
    assert "the farm's firewall rules are not in force" in examined.stdout
    assert is_reached(node.address, ClusterPorts(CLUSTER_BASES["a"]).node_manager)
    mended = shelf.operator.bootstrap(shelf.inventory)
    assert {name for name, host in mended.hosts.items() if host["changes"]} == {node.name}
    assert not is_reached(node.address, ClusterPorts(CLUSTER_BASES["a"]).node_manager)
    shelf.operator.await_nodes(*(each.name for each in shelf.nodes))


def test_secrets_are_kept(shelf: ShelfFarm) -> None:
    kept = shelf.operator.home / "farms" / "shelf"
    token = (kept / "ray-token").read_text()
    private = [kept / "ray-token", kept / "operator-key.pem", *(kept / "ca").glob("*key*")]
    assert [oct(file.stat().st_mode & 0o777) for file in private] == ["0o600"] * 3
    for host in shelf.hosts:
        modes = host.shell("stat -c '%a %U:%G %n' /etc/farm/ray-token /etc/farm/tls/key.pem")
        assert modes.splitlines() == [
            "600 farm:farm /etc/farm/ray-token",
            "600 farm:farm /etc/farm/tls/key.pem",
        ]
        key = host.shell("cat /etc/farm/tls/key.pem").splitlines()[1]
        for secret, file in ((token, "ray-token"), (key, "tls/key.pem")):
            assert secret not in shelf.first.said
            found = f"grep -rlsF -e '{secret}' /etc /opt/farm /var/lib/farm /var/tmp /tmp"
            assert host.shell(found).split() == [f"/etc/farm/{file}"]
            # sudo writes every command line down there.
            assert host.shell(f"journalctl --all -o cat | grep -cF -e '{secret}' || :") == "0\n"
            assert secret not in " ".join(host.machine.command_lines())


def test_services_may_do_no_more_than_they_need(shelf: ShelfFarm) -> None:
    for host, names in services(shelf).items():
        for name in names:
            shown = host.shell(f"systemctl show {name} --property {','.join(HARDENED)},MainPID")
            said = dict(line.split("=", 1) for line in shown.splitlines())
            pid = said.pop("MainPID")
            assert said == HARDENED
            status = host.shell(f"cat /proc/{pid}/status")
            assert "NoNewPrivs:\t1\n" in status
            assert "CapEff:\t0000000000000000\n" in status
            write = f"nsenter --target {pid} --mount touch /usr/file /etc/farm/file 2>&1 || :"
            assert host.shell(write).count("Read-only file system") == 2
    bound = shelf.nodes[0].shell("systemctl show farm-node --property MemoryMax --value")
    assert 1024 < int(bound) / 2**20 < 2048
    for host in shelf.hosts:
        assert host.shell("findmnt -no FSTYPE,SIZE /var/lib/farm/ray").split() == ["tmpfs", "128M"]


def test_a_service_that_hangs_is_started_anew(shelf: ShelfFarm) -> None:
    node = shelf.nodes[0]
    started = "systemctl show farm-node --property ExecMainPID --value"
    before = node.shell(started)
    node.shell("systemctl kill --kill-whom=main --signal=STOP farm-node")
    # Its watchdog's 30 s, then those that it is given to end.
    deadline = time.monotonic() + 180
    while node.shell(started) == before:
        assert time.monotonic() < deadline, "nobody misses it"
        time.sleep(1)
    assert "Watchdog timeout" in node.shell("journalctl --unit farm-node --output cat")
    shelf.operator.await_nodes(*(each.name for each in shelf.nodes))


def test_a_node_that_loses_power_comes_back(shelf: ShelfFarm) -> None:
    with Traffic(shelf.address, shelf.developer) as traffic:
        shelf.nodes[0].stop()
        traffic.await_answers()
    shelf.nodes[0].start()
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))


def test_a_head_that_loses_power_comes_back(shelf: ShelfFarm) -> None:
    shelf.head.power_cycle()
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))
    with digit_requests.client(shelf.address, shelf.developer) as connection:
        digit_requests.ask(connection)


@pytest.fixture(scope="module")
def newcomer(shelf: ShelfFarm) -> Host:
    return shelf.lab.host("newcomer", memory_mb=2048, sudo="password")


def test_clients_show_tokens_where_the_operator_lets_them(shelf: ShelfFarm) -> None:
    ca = str(shelf.developer / "ca.pem")
    token = shelf.operator.farm("tokens", "issue", "carol").stdout.strip()
    shown = {"authorization": f"Bearer {token}"}
    shelf.lab.write_inventory(
        head=shelf.head, nodes=shelf.nodes, farm={"gateway": {"tls": "server"}}
    )
    changed = shelf.operator.bootstrap(shelf.inventory)
    assert changed.exit_code == 0, changed.said
    assert {name for name, host in changed.hosts.items() if host["changes"]} == {shelf.head.name}
    with triton.InferenceServerClient(shelf.address, ssl=True, root_certificates=ca) as carol:
        digit_requests.ask(carol, headers=shown)
        with pytest.raises(triton.InferenceServerException, match="PERMISSION_DENIED"):
            carol.unload_model("digits", headers=shown)
        for other in ({}, {"authorization": f"Bearer {token[:-1]}_"}):
            with pytest.raises(triton.InferenceServerException, match="UNAUTHENTICATED"):
                digit_requests.ask(carol, headers=other)
        # Operators have a port of their own then, on which everybody shows a certificate.
        shelf.operator.await_nodes(*(node.name for node in shelf.nodes))
        with pytest.raises(triton.InferenceServerException, match="UNAVAILABLE"):
            ask_without_certificate(f"{shelf.head.address}:{OPERATORS}", ca)
        revoked = shelf.operator.farm("tokens", "revoke", "carol")
        assert revoked.exit_code == 0, revoked.said
        carried = shelf.operator.bootstrap(shelf.inventory)
        assert carried.exit_code == 0, carried.said
        with pytest.raises(triton.InferenceServerException, match="was revoked on"):
            digit_requests.ask(carol, headers=shown)
    held = shelf.head.shell("stat --format '%a %U' /etc/farm/tokens.json").strip()
    assert held == "600 farm"
    shelf.lab.write_inventory(head=shelf.head, nodes=shelf.nodes)
    mutual = shelf.operator.bootstrap(shelf.inventory)
    assert mutual.exit_code == 0, mutual.said
    with pytest.raises(triton.InferenceServerException, match="UNAVAILABLE"):
        ask_without_certificate(shelf.address, ca)


def test_nobody_listens_to_everybody(shelf: ShelfFarm) -> None:
    shelf.lab.write_inventory(head=shelf.head, nodes=shelf.nodes, farm={"gateway": {"tls": "off"}})
    try:
        for command in (("inventory", "check"), ("bootstrap",)):
            refused = shelf.operator.farm(*command, "-i", shelf.inventory)
            assert refused.exit_code == 2, refused.said
            assert "farm.gateway.tls: must not be off" in refused.said
    finally:
        shelf.lab.write_inventory(head=shelf.head, nodes=shelf.nodes)


def ask_without_certificate(address: str, ca: str) -> None:
    with triton.InferenceServerClient(address, ssl=True, root_certificates=ca) as nobody:
        digit_requests.ask(nobody)


def test_a_dry_run_changes_nothing(shelf: ShelfFarm, newcomer: Host) -> None:
    wider = shelf.lab.write_inventory(head=shelf.head, nodes=[*shelf.nodes, newcomer])
    shelf.operator.trust(wider)
    everywhere = "find /etc /opt -printf '%p %s %m %U %C@\n'"
    before = {host.name: host.shell(everywhere) for host in (*shelf.hosts, newcomer)}
    planned = shelf.operator.farm_at_terminal(
        newcomer.sudo_password,
        *("bootstrap", "-i", wider, "--dry-run", "--ask-sudo-password", "--output", "json"),
    )
    assert planned.exit_code == 0, planned.said
    steps = {
        host["host"]: {change["step"] for change in host["changes"]}
        for host in planned.document["plan"]
    }
    assert {"user", "software", "certificate", "start farm-node"} <= steps[newcomer.name]
    for host in shelf.hosts:
        assert "firewall" in steps[host.name]
        assert "software" not in steps[host.name]
    after = {host.name: host.shell(everywhere) for host in (*shelf.hosts, newcomer)}
    assert after == before


def test_a_node_joins_a_farm_that_serves(shelf: ShelfFarm, newcomer: Host) -> None:
    wider = shelf.lab.write_inventory(head=shelf.head, nodes=[*shelf.nodes, newcomer])
    refused = shelf.operator.bootstrap(wider, "--limit", newcomer.name)
    assert refused.exit_code == 3, refused.said
    assert "--ask-sudo-password" in refused.hosts[newcomer.name]["fix"]
    with Traffic(shelf.address, shelf.developer) as traffic:
        joined = shelf.operator.farm_at_terminal(
            newcomer.sudo_password,
            *("bootstrap", "-i", wider, "--ask-sudo-password", "--output", "json"),
        )
        assert joined.exit_code == 0, joined.said
    assert traffic.failures == []
    shelf.operator.await_nodes(*(node.name for node in (*shelf.nodes, newcomer)))
    assert newcomer.sudo_password not in joined.said
    for line in ("journalctl --all -o cat", "grep -rs . /etc/farm /opt/farm/stamp.sh"):
        assert newcomer.sudo_password not in newcomer.shell(line)


def test_a_node_leaves_a_farm_that_serves(shelf: ShelfFarm, newcomer: Host) -> None:
    with Traffic(shelf.address, shelf.developer) as traffic:
        drained = shelf.operator.farm("nodes", "drain", newcomer.name)
        assert drained.exit_code == 0, drained.said
        removed = shelf.operator.farm_at_terminal(
            newcomer.sudo_password,
            *("uninstall", "-i", shelf.inventory, "--limit", newcomer.name, "--yes"),
            "--ask-sudo-password",
        )
        assert removed.exit_code == 0, removed.said
        shelf.lab.write_inventory(head=shelf.head, nodes=shelf.nodes)
        narrower = shelf.operator.bootstrap(shelf.inventory)
        assert narrower.exit_code == 0, narrower.said
    assert traffic.failures == []
    shelf.operator.await_nodes(*(node.name for node in shelf.nodes))
    newcomer.stop()


def listening_ports(host: Host) -> set[int]:
    """Return the ports on which others than the host itself could reach something."""
    sockets = [line.split()[3] for line in host.shell("ss --no-header -lnt").splitlines()]
    ends = [socket.rpartition(":") for socket in sockets]
    return {
        int(port) for address, _, port in ends if not address.startswith(("127.", "[::1]", "[::f"))
    }


def is_reached(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=3.0).close()
    except TimeoutError:
        return False
    return True


def reached_from(host: Host, address: str, ports: Iterable[int]) -> set[int]:
    """Return on which of an address's ports something answers to a host."""
    script = (
        "import socket, sys\n"
        "for port in map(int, sys.argv[2:]):\n"
        "    if not socket.socket().connect_ex((sys.argv[1], port)):\n"
        "        print(port)\n"
    )
    words = " ".join(map(str, ports))
    return set(map(int, host.shell(f"python3 -c '{script}' {address} {words}").split()))
