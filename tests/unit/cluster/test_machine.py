"""How Ray is told to start on a machine."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from farm.cluster.machine import Machine, ray_environment_of, start_command
from farm.cluster.ray_environment import told_to_encrypt
from farm.cluster.ray_hook import without_client_server

ETC = Path("/etc/farm")
NODE = Machine(
    name="pi-01",
    address="198.18.0.11",
    head="198.18.0.10:6400",
    port_base=6400,
    serves=True,
    ca=ETC / "tls/ca.pem",
    certificate=ETC / "tls/cert.pem",
    key=ETC / "tls/key.pem",
    token=ETC / "ray-token",
    ray_dir=Path("/var/lib/farm/ray"),
    state_dir=Path("/var/lib/farm"),
    object_store_bytes=128 << 20,
)
HEAD = replace(NODE, name="pi-head", serves=False, gcs_dir=Path("/var/lib/farm/gcs"))


@pytest.mark.parametrize("machine", [NODE, HEAD])
def test_a_machine_is_handed_from_program_to_program_whole(machine: Machine) -> None:
    *program, text = machine.program("/opt/farm/node/bin/python")
    assert program == ["/opt/farm/node/bin/python", "-P", "-m", "farm.cluster.ray_service"]
    assert Machine.from_json(text) == machine


def options(machine: Machine) -> dict[str, str]:
    command = start_command(machine, Path("/opt/farm/node/bin/ray"))
    assert command[:2] == ["/opt/farm/node/bin/ray", "start"]
    return dict(option.partition("=")[::2] for option in command[2:])


def test_a_node_joins_its_head_under_its_own_name_and_address() -> None:
    said = options(NODE)
    assert said["--address"] == "198.18.0.10:6400"
    assert said["--node-ip-address"] == "198.18.0.11"
    assert json.loads(said["--resources"]) == {"farm_node_pi-01": 1}
    assert said["--num-cpus"] == "0"
    assert said["--include-log-monitor"] == "false"
    assert "--head" not in said


def test_a_head_places_no_actor_on_itself_unless_it_serves() -> None:
    said = options(HEAD)
    assert said["--port"] == "6400"
    assert said["--include-dashboard"] == "false"
    assert json.loads(said["--resources"]) == {}
    assert json.loads(options(replace(HEAD, serves=True))["--resources"]) == {
        "farm_node_pi-head": 1
    }
    assert "--address" not in said


@pytest.mark.parametrize("base", [6400, 6500])
@pytest.mark.parametrize("machine", [NODE, HEAD])
def test_every_port_is_fixed_and_lies_where_the_firewall_expects_it(
    machine: Machine, base: int
) -> None:
    said = options(replace(machine, port_base=base))
    ports = {key: int(value) for key, value in said.items() if key.endswith("port")}
    assert len(ports) == (9 if machine is HEAD else 8)
    assert len(set(ports.values())) == len(ports)
    assert all(base <= port < base + 100 for port in ports.values())


def test_two_clusters_on_one_machine_share_no_folder() -> None:
    assert NODE.temp_dir != replace(NODE, port_base=6500).temp_dir


def test_ray_is_told_to_encrypt_and_to_ask_for_the_token() -> None:
    environment = ray_environment_of(NODE, {"HOME": "/var/lib/farm"})
    assert environment["HOME"] == "/var/lib/farm"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert Path(environment["RAY_AUTH_TOKEN_PATH"]) == NODE.token
    assert told_to_encrypt(environment) == NODE.tls
    assert "RAY_gcs_storage" not in environment


def test_what_is_set_for_another_cluster_is_not_handed_on() -> None:
    environment = ray_environment_of(NODE, {"RAY_ADDRESS": "auto", "RAY_AUTH_TOKEN": "another's"})
    assert not {"RAY_ADDRESS", "RAY_AUTH_TOKEN"} & set(environment)


def test_a_head_keeps_its_tables() -> None:
    environment = ray_environment_of(HEAD, {})
    assert environment["RAY_gcs_storage"] == "rocksdb"
    assert environment["RAY_gcs_storage_path"] == "/var/lib/farm/gcs"


def test_a_head_starts_no_server_for_ray_clients() -> None:
    class Parameters:
        ray_client_server_port: int | None = 10001

    module, _, function = ray_environment_of(HEAD, {})["RAY_START_HOOK"].rpartition(".")
    assert (module, function) == (without_client_server.__module__, without_client_server.__name__)
    parameters = Parameters()
    without_client_server(parameters, True)
    assert parameters.ray_client_server_port is None


def test_ray_that_is_not_told_to_encrypt_does_not() -> None:
    assert told_to_encrypt({}) is None
    assert told_to_encrypt({"RAY_USE_TLS": "0"}) is None
