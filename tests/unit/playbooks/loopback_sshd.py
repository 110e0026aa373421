"""A real sshd on loopback that lets the user of the tests in, with a stand-in for sudo."""

import os
import pwd
import shutil
import socket
import subprocess
import textwrap
from contextlib import suppress
from pathlib import Path

import paramiko
import psutil

from farm.inventory import Host

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER = pwd.getpwuid(os.getuid()).pw_name

# Asks as sudo does where it may not run without a password, and says what it says.
_SUDO = """\
#!/bin/sh
[ -e {folder}/nameless ] &&
  echo 'sudo: unable to resolve host pi-1: Name or service not known' >&2
if [ "$1" = -n ]; then
  [ -e {folder}/password ] && { echo 'sudo: a password is required' >&2; exit 1; }
  shift
else
  [ "$1 $2" = '-S -p' ] || exit 99
  printf %s "$3" >&2
  read -r given
  [ "$given" = "$(cat {folder}/password)" ] ||
    { printf 'Sorry, try again.\\n%s' "$3" >&2; read -r given; exit 1; }
  shift 3
fi
[ -e {folder}/denied ] && { echo "sudo: nobody is not in the sudoers file." >&2; exit 1; }
exec "$@"
"""


class Sshd:
    """Started by `start` on a port of its own. It believes what lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "id"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "bin").mkdir(parents=True)
        sudo = folder / "bin" / "sudo"
        sudo.write_text(_SUDO.replace("{folder}", str(folder)))
        sudo.chmod(0o755)
        client = self.new_key(self.key)
        (folder / "authorized_keys").write_text(f"{client.get_name()} {client.get_base64()}\n")
        self.new_host_key()

    @property
    def host(self) -> Host:
        fields = {"name": "pi-1", "address": "198.18.0.1", "port": self.port, "user": USER}
        host = Host.model_validate({**fields, "ssh_key": self.key})
        # No inventory may say so: it is no address for other hosts.
        return host.model_copy(update={"address": "127.0.0.1"})

    def new_host_key(self) -> paramiko.PKey:
        self.host_key = self.new_key(self.folder / "host_key")
        return self.host_key

    def new_key(self, path: Path) -> paramiko.PKey:
        path.unlink(missing_ok=True)
        key = paramiko.ECDSAKey.generate()
        key.write_private_key_file(str(path))
        return key

    def known_hosts(self, key: paramiko.PKey | None = None) -> Path:
        """Return a file by which the host is known with this key, or with its own."""
        known = paramiko.HostKeys()
        key = key or self.host_key
        known.add(f"[127.0.0.1]:{self.port}", key.get_name(), key)
        file = self.folder / "known_hosts"
        known.save(str(file))
        return file

    def wants_password(self, password: str) -> None:
        (self.folder / "password").write_text(password)

    def start(self) -> None:
        assert SSHD is not None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = self.folder / "sshd_config"
        config.write_text(
            textwrap.dedent(
                f"""\
                ListenAddress 127.0.0.1:{self.port}
                HostKey {self.folder}/host_key
                AuthorizedKeysFile {self.folder}/authorized_keys
                PidFile none
                StrictModes no
                PasswordAuthentication no
                UsePAM no
                Subsystem sftp internal-sftp
                SetEnv PATH={self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin
                """
            )
        )
        self._process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if b"Server listening" in line:
                return
        raise AssertionError("sshd did not start")

    def cut(self) -> None:
        """Kill what serves the connections, as a host does that loses its power."""
        for session in self._sessions():
            with suppress(psutil.NoSuchProcess):
                session.kill()

    def hang(self) -> None:
        """Stop what serves the connections, which stay open, until `cut`."""
        for session in self._sessions():
            session.suspend()

    def _sessions(self) -> list[psutil.Process]:
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        return [child for child in children if child.name().startswith("sshd")]

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._process = process
            self.cut()
            process.terminate()
            process.wait(10)
            assert process.stderr is not None
            process.stderr.close()
