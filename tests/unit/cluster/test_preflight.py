"""What a machine is refused for before Ray starts on it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from farm_certificates import new_authority, write_certificate
from free_ports import free_base

from farm.cluster import preflight, ray_port
from farm.cluster.machine import Machine
from farm.cluster.refusals import RefusalCode, RefusalError
from farm.cluster.time_floor import TimeFloor
from farm.core.host_tls import HostTls
from farm.core.identities import IdentityKind
from farm.pki import Authority

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


def machine_with(tls: HostTls, folder: Path, *, name: str = "pi-01") -> Machine:
    return Machine(
        name=name,
        address=HOST,
        head=f"{HOST}:6400",
        port_base=free_base(HOST),
        serves=True,
        ca=tls.ca,
        certificate=tls.certificate,
        key=tls.key,
        token=folder / "token",
        ray_dir=folder / "ray",
        state_dir=folder,
        object_store_bytes=128 << 20,
    )


@pytest.fixture
def machine(tmp_path: Path, authority: Authority) -> Machine:
    return machine_with(write_certificate(tmp_path, authority, "pi-01", HOST), tmp_path)


@contextmanager
def refused(code: RefusalCode, *words: str) -> Iterator[None]:
    with pytest.raises(RefusalError, match=".*".join(words)) as caught:
        yield
    assert caught.value.code is code


def test_a_sound_machine_is_not_refused(machine: Machine) -> None:
    preflight.check_name()
    preflight.check_certificate(machine)
    preflight.clear_folder(machine)
    assert not preflight.clock_fault(machine, TimeFloor(machine.state_dir))


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-host.invalid")
    with refused(RefusalCode.NAME, "no-such-host.invalid", "/etc/hosts"):
        preflight.check_name()


def test_a_certificate_for_another_address(tmp_path: Path, authority: Authority) -> None:
    tls = write_certificate(tmp_path, authority, "pi-01", "198.18.0.11")
    with refused(RefusalCode.CERTIFICATE, "IP address mismatch", "bootstrap"):
        preflight.check_certificate(machine_with(tls, tmp_path))


def test_a_certificate_of_another_machine(tmp_path: Path, authority: Authority) -> None:
    tls = write_certificate(tmp_path, authority, "pi-02", HOST)
    with refused(RefusalCode.CERTIFICATE, "the machine 'pi-02'", "'pi-01'"):
        preflight.check_certificate(machine_with(tls, tmp_path))


def test_a_certificate_of_an_operator(tmp_path: Path, authority: Authority) -> None:
    tls = write_certificate(tmp_path, authority, "ada", HOST, kind=IdentityKind.OPERATOR)
    with refused(RefusalCode.CERTIFICATE, "will refuse"):
        preflight.check_certificate(machine_with(tls, tmp_path))


def test_a_certificate_of_another_farm(tmp_path: Path, machine: Machine) -> None:
    machine.ca.write_bytes(new_authority("other").certificate_pem)
    with refused(RefusalCode.CERTIFICATE, "will refuse"):
        preflight.check_certificate(machine)


def test_a_key_that_is_not_the_certificates(
    tmp_path: Path, machine: Machine, authority: Authority
) -> None:
    other = write_certificate(tmp_path, authority, "pi-09", HOST)
    machine.key.write_bytes(other.key.read_bytes())
    with refused(RefusalCode.CERTIFICATE, "cannot be used", "KEY_VALUES_MISMATCH"):
        preflight.check_certificate(machine)


def test_a_certificate_that_is_not_there(machine: Machine) -> None:
    machine.certificate.unlink()
    with refused(RefusalCode.CERTIFICATE, "No such file"):
        preflight.check_certificate(machine)


def test_a_clock_behind_a_time_that_was_seen(machine: Machine) -> None:
    floor = TimeFloor(machine.state_dir)
    floor.advance(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
    assert "seen before" in preflight.clock_fault(machine, floor)


def test_a_clock_behind_the_certificates(tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=400)
    tls = write_certificate(tmp_path, new_authority(now=later), "pi-01", HOST, now=later)
    machine = machine_with(tls, tmp_path)
    assert "certificates" in preflight.clock_fault(machine, TimeFloor(tmp_path))


def test_the_time_floor_only_rises_and_outlives_the_process(tmp_path: Path) -> None:
    TimeFloor(tmp_path).advance(2000.7)
    TimeFloor(tmp_path).advance(1000.0)
    assert TimeFloor(tmp_path).read() == 2000


@pytest.mark.parametrize("content", [b"", b"soon", b"\xff\xfe"])
def test_a_damaged_time_floor_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "time-floor").write_bytes(content)
    assert TimeFloor(tmp_path).read() == 0


def test_what_an_earlier_run_left_is_removed(machine: Machine) -> None:
    left = machine.temp_dir / "session" / "sockets"
    left.mkdir(parents=True)
    preflight.clear_folder(machine)
    assert list(machine.temp_dir.iterdir()) == []


def test_a_folder_that_cannot_be_made(machine: Machine) -> None:
    machine.ray_dir.write_bytes(b"a file in its place")
    with refused(RefusalCode.FOLDER, "ray", "free or repair"):
        preflight.clear_folder(machine)


def test_a_head_whose_disk_is_full(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    head = replace(machine, gcs_dir=machine.state_dir)
    preflight.check_room(head)
    monkeypatch.setattr(preflight, "_TABLES_BYTES", 1 << 60)
    preflight.check_room(machine)
    with refused(RefusalCode.FOLDER, str(head.gcs_dir), "its disk is full"):
        preflight.check_room(head)


def test_a_port_that_another_program_has(machine: Machine) -> None:
    port = machine.ports.node_manager
    with socket.create_server((HOST, port)), refused(RefusalCode.PORT, str(port), "ss -ltnp"):
        preflight.check_ports(machine)


@contextmanager
def served(tls: HostTls, greeting: bytes = b"x") -> Iterator[int]:
    """Serve one connection as a part of Ray does, which speaks first."""
    context = tls.serving(("h2",))
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            try:
                with context.wrap_socket(peer, server_side=True) as encrypted:
                    if greeting:
                        encrypted.sendall(greeting)
                    # Until the caller is done.
                    encrypted.recv(1)
            except OSError:
                return

        server = Thread(target=serve)
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.join()


def test_a_head_that_serves(machine: Machine) -> None:
    with served(machine.tls) as port:
        assert ray_port.obstacle(machine.tls, HOST, port, within_s=5) == ""


def test_a_head_that_says_nothing(machine: Machine) -> None:
    with served(machine.tls, b"") as port:
        assert "does not answer" in ray_port.obstacle(machine.tls, HOST, port, within_s=0.2)


def test_a_head_of_another_farm(machine: Machine, tmp_path: Path) -> None:
    other = write_certificate(tmp_path / "other", new_authority(), "pi-head", HOST)
    with served(other) as port:
        said = ray_port.obstacle(machine.tls, HOST, port, within_s=5)
    assert "certificate is refused" in said


def test_a_head_that_refuses_this_machine(
    machine: Machine, tmp_path: Path, authority: Authority
) -> None:
    other = write_certificate(tmp_path / "other", new_authority(), "pi-01", HOST)
    head = write_certificate(tmp_path / "head", authority, "pi-head", HOST)
    stranger = HostTls(ca=head.ca, certificate=other.certificate, key=other.key)
    with served(head) as port:
        said = ray_port.obstacle(stranger, HOST, port, within_s=5)
    assert "encrypted connection fails" in said


def test_a_head_that_is_not_there(machine: Machine) -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    said = ray_port.obstacle(machine.tls, HOST, port, within_s=5)
    assert said == "Connection refused"
