"""SSH against a real sshd on loopback: who is believed, what is bounded, what is left behind."""

import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import paramiko
import pytest

from playbooks import ssh
from playbooks.commands import Put, Run, sh
from playbooks.ssh import SshSettings, SshTransport
from playbooks.transport import (
    CommandFailedError,
    HostDeniedError,
    HostKeyError,
    HostUnreachableError,
)
from tests.unit.playbooks.loopback_sshd import SSHD, USER, Sshd

pytestmark = pytest.mark.skipif(
    SSHD is None, reason="there is no sshd here: apt-get install openssh-server"
)

WAIT_S = 20.0
WRONG = "wrong horse"
ECHO = Run(text="echo hello")
# sshd run by root insists on it.
_PRIVILEGE_SEPARATION = Path("/run/sshd")


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    with ExitStack() as ending:
        if os.getuid() == 0 and not _PRIVILEGE_SEPARATION.exists():
            _PRIVILEGE_SEPARATION.mkdir()
            ending.callback(_PRIVILEGE_SEPARATION.rmdir)
        server = Sshd(folder)
        server.start()
        ending.callback(server.stop)
        yield server


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd") / "server") as running:
        yield running


@pytest.fixture
def connect(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SshTransport]]:
    # No agent's keys, and none from the user's own folder.
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with ExitStack() as ending:

        def connect(**changes: object) -> SshTransport:
            password = changes.pop("sudo_password", None)
            known_hosts = changes.pop("known_hosts", None) or sshd.known_hosts()
            settings = SshSettings(known_hosts=known_hosts, sudo_password=password)  # type: ignore[arg-type]
            transport = SshTransport(sshd.host.model_copy(update=changes), settings)
            ending.callback(transport.close)
            return transport

        yield connect


@pytest.fixture(autouse=True)
def landings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files land on their way, in place of the host's own folder for it."""
    folder = tmp_path_factory.mktemp("landings")
    monkeypatch.setattr(ssh, "_LANDINGS", str(folder))
    return folder


@pytest.fixture(scope="module")
def transport(sshd: Sshd) -> Iterator[SshTransport]:
    """One connection for all tests that do nothing to it."""
    with closing(SshTransport(sshd.host, SshSettings(known_hosts=sshd.known_hosts()))) as opened:
        yield opened


@pytest.fixture
def password(sshd: Sshd) -> Iterator[str]:
    """What sudo wants while this test runs."""
    sshd.wants_password("hush hush")
    yield "hush hush"
    (sshd.folder / "password").unlink()


def test_a_command_tells_what_it_printed_and_how_it_ended(transport: SshTransport) -> None:
    told = transport.run(Run(text="echo out; echo err >&2; exit 3"))
    assert (told.stdout, told.stderr, told.exit_code) == ("out\n", "err\n", 3)


def test_what_is_no_utf8_is_replaced(transport: SshTransport) -> None:
    assert transport.run(Run(text=r"printf '\377x'")).stdout == "�x"


def test_a_command_reads_nothing_from_the_operator(transport: SshTransport) -> None:
    assert transport.run(Run(text="cat; echo done")).stdout == "done\n"


def test_arguments_arrive_as_they_are(transport: SshTransport) -> None:
    strange = "a'b\"c $HOME `id`\n\\ ;&|*é"
    assert transport.run(Run(text=sh("printf", "%s", strange))).stdout == strange


def test_nobody_is_believed_by_default(
    connect: Callable[..., SshTransport], tmp_path: Path
) -> None:
    with pytest.raises(HostKeyError, match=r"pi-1: the key of .* is not known") as caught:
        connect(known_hosts=tmp_path / "none").run(ECHO)
    assert "farm hosts trust" in caught.value.fix
    (tmp_path / "empty").touch()
    with pytest.raises(HostKeyError):
        connect(known_hosts=tmp_path / "empty").run(ECHO)


def test_a_changed_key_is_refused_with_both_fingerprints(
    sshd: Sshd, connect: Callable[..., SshTransport]
) -> None:
    other = paramiko.ECDSAKey.generate()
    with pytest.raises(HostKeyError, match="has changed") as caught:
        connect(known_hosts=sshd.known_hosts(other)).run(ECHO)
    assert other.fingerprint in caught.value.message
    assert sshd.host_key.fingerprint in caught.value.message
    assert "--replace" in caught.value.fix


def test_a_key_of_another_type_than_the_known_one_is_refused(
    sshd: Sshd, connect: Callable[..., SshTransport], tmp_path: Path
) -> None:
    other = paramiko.RSAKey.generate(2048)
    with pytest.raises(HostKeyError):
        connect(known_hosts=sshd.known_hosts(other)).run(ECHO)


def test_a_refused_login(sshd: Sshd, connect: Callable[..., SshTransport], tmp_path: Path) -> None:
    sshd.new_key(tmp_path / "other")
    with pytest.raises(HostDeniedError, match="refuses the login") as caught:
        connect(ssh_key=tmp_path / "other").run(ECHO)
    assert f"ssh-copy-id -i {tmp_path}/other.pub" in caught.value.fix


def test_nothing_to_log_in_with(
    connect: Callable[..., SshTransport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(HostDeniedError, match=r"with the keys of the SSH agent and of ~/\.ssh"):
        connect(ssh_key=None).run(ECHO)


def test_a_key_with_a_passphrase_is_the_agents(
    connect: Callable[..., SshTransport], tmp_path: Path
) -> None:
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(tmp_path / "id"), password=WRONG)
    with pytest.raises(HostDeniedError, match="refuses the login") as caught:
        connect(ssh_key=tmp_path / "id").run(ECHO)
    assert "ssh-add" in caught.value.fix


def test_a_public_key_in_place_of_the_private_one(
    connect: Callable[..., SshTransport], tmp_path: Path
) -> None:
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA pi\n")
    with pytest.raises(HostDeniedError, match="cannot be used as a private key"):
        connect(ssh_key=tmp_path / "id.pub").run(ECHO)


def test_a_key_file_that_is_not_there(connect: Callable[..., SshTransport], tmp_path: Path) -> None:
    with pytest.raises(HostDeniedError, match="does not exist here"):
        connect(ssh_key=tmp_path / "none").run(ECHO)


def test_a_host_that_does_not_answer(sshd: Sshd, connect: Callable[..., SshTransport]) -> None:
    with pytest.raises(HostUnreachableError, match=r"127\.0\.0\.1:1 does not answer") as caught:
        connect(port=1).run(ECHO)
    assert "switched on" in caught.value.fix


def test_a_command_that_takes_too_long_is_ended_on_the_host(
    transport: SshTransport, tmp_path: Path
) -> None:
    slow = Run(text=f"echo $$ > {tmp_path}/pid; sleep 60", timeout_s=1, shown="be slow")
    with pytest.raises(CommandFailedError, match="pi-1: `be slow` was cut after 1 s"):
        transport.run(slow)
    pid = (tmp_path / "pid").read_text().strip()
    assert not Path(f"/proc/{pid}").exists()
    assert transport.run(ECHO).stdout == "hello\n", "the connection is still good"


def test_a_connection_that_is_lost_in_mid_command(
    sshd: Sshd, transport: SshTransport, tmp_path: Path
) -> None:
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(transport.run, Run(text=f"echo > {fifo}; exec sleep 60"))
        fifo.read_bytes()
        sshd.cut()
        with pytest.raises(HostUnreachableError, match="was lost") as caught:
            told.result(WAIT_S)
    assert "it goes on where it stopped" in caught.value.fix
    assert transport.run(ECHO).stdout == "hello\n", "the next call connects anew"


def test_a_host_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_GRACE_S", 0.5)
    with running_sshd(tmp_path / "sshd") as own:
        settings = SshSettings(known_hosts=own.known_hosts(), connect_timeout_s=1)
        with closing(SshTransport(own.host, settings)) as one:
            one.put(put(b"1", tmp_path / "file"))
            own.hang()
            with pytest.raises(HostUnreachableError, match="was lost"):
                one.put(put(b"2", tmp_path / "file"))
            assert one.run(ECHO).stdout == "hello\n", "the host itself is well"
            own.hang()
            with pytest.raises(HostUnreachableError, match="was lost"):
                one.run(ECHO)


def test_root_without_a_password(transport: SshTransport) -> None:
    assert transport.run(Run(text="echo hello", sudo=True)).stdout == "hello\n"


def test_root_with_a_password(connect: Callable[..., SshTransport], password: str) -> None:
    told = connect(sudo_password=password).run(
        Run(text="echo hello; tr '\\0' ' ' </proc/$PPID/cmdline", sudo=True)
    )
    assert told.stdout.startswith("hello\n")
    assert password not in told.stdout, "no command line ever holds it"


def test_a_wrong_password(connect: Callable[..., SshTransport], password: str) -> None:
    with pytest.raises(HostDeniedError, match="sudo refuses the password") as caught:
        connect(sudo_password=WRONG).run(Run(text="echo hello", sudo=True))
    assert WRONG not in str(caught.value)


def test_a_password_that_nobody_gave(connect: Callable[..., SshTransport], password: str) -> None:
    with pytest.raises(HostDeniedError, match=r"sudo asks \S+ for a password") as caught:
        connect().run(Run(text="echo hello", sudo=True))
    assert "--ask-sudo-password" in caught.value.fix


def test_a_user_who_may_not(sshd: Sshd, transport: SshTransport) -> None:
    (sshd.folder / "denied").touch()
    try:
        with pytest.raises(HostDeniedError, match="may not use sudo") as caught:
            transport.run(Run(text="echo hello", sudo=True))
    finally:
        (sshd.folder / "denied").unlink()
    assert f"usermod -aG sudo {USER}" in caught.value.fix


@pytest.fixture
def nameless(sshd: Sshd) -> Iterator[None]:
    """The host cannot resolve its own name, of which sudo warns each time."""
    (sshd.folder / "nameless").touch()
    yield
    (sshd.folder / "nameless").unlink()


@pytest.mark.usefixtures("nameless")
def test_a_warning_of_sudo_is_no_refusal(transport: SshTransport) -> None:
    assert transport.run(Run(text="exit 1", sudo=True)).exit_code == 1


@pytest.mark.usefixtures("nameless")
def test_a_warning_of_sudo_hides_no_refusal(transport: SshTransport, password: str) -> None:
    with pytest.raises(HostDeniedError, match=r"sudo asks \S+ for a password"):
        transport.run(Run(text="exit 1", sudo=True))


def test_settings_do_not_show_the_password() -> None:
    shown = repr(SshSettings(known_hosts=Path("known"), sudo_password=WRONG))
    assert WRONG not in shown


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_a_file_is_moved_into_place(
    transport: SshTransport, landings: Path, tmp_path: Path, size: int
) -> None:
    target = tmp_path / "a file"
    target.write_bytes(b"old")
    content = os.urandom(size)
    transport.put(put(content, target, mode=0o640))
    assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]
    assert list(landings.iterdir()) == []


def test_a_file_of_the_operators(transport: SshTransport, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"wheel")
    transport.put(put(tmp_path / "here", tmp_path / "there"))
    assert (tmp_path / "there").read_bytes() == b"wheel"


def test_nobody_else_can_look_at_a_file_on_its_way(
    transport: SshTransport, landings: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    os.mkfifo(source)
    # More than the pipe holds: once it is written, the rest is on its way.
    much = bytes(300_000)
    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(transport.put, put(source, tmp_path / "there"))
        with source.open("wb") as begun:
            begun.write(much)
            assert [stat.S_IMODE(folder.stat().st_mode) for folder in landings.iterdir()] == [0o700]
        putting.result(WAIT_S)
    assert (tmp_path / "there").read_bytes() == much
    assert list(landings.iterdir()) == []


def test_a_file_that_cannot_be_put_leaves_nothing(
    transport: SshTransport, landings: Path, tmp_path: Path
) -> None:
    with pytest.raises(CommandFailedError, match="could not be written") as caught:
        transport.put(put(b"new", tmp_path / "no" / "folder"))
    assert f"see why {tmp_path}/no cannot be written" in caught.value.fix
    assert list(tmp_path.iterdir()) == []
    assert list(landings.iterdir()) == []


def test_what_a_lost_connection_left_is_removed_once_it_is_old(
    connect: Callable[..., SshTransport], landings: Path, tmp_path: Path
) -> None:
    old, new = (landings / f"farm-{digit * 16}" for digit in "0f")
    for folder in (old, new, landings / "others"):
        folder.mkdir()
        (folder / "half").touch()
        os.utime(folder, (0, 0))
    os.utime(new)
    connect().put(put(b"1", tmp_path / "file"))
    assert {path.name for path in landings.iterdir()} == {new.name, "others"}


def test_a_file_goes_over_a_link_without_following_it(
    transport: SshTransport, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("elsewhere")
    transport.put(put(b"new", tmp_path / "link"))
    assert (tmp_path / "elsewhere").read_bytes() == b"kept"
    assert not (tmp_path / "link").is_symlink()


def put(content: bytes | Path, to: Path, *, mode: int = 0o644) -> Put:
    return Put(content=content, to=str(to), mode=mode, owner=f"{USER}:{os.getgid()}")
