"""A host in memory: files, units and releases, for whole runs of what bootstrap does.

It answers the questions and carries out the commands that steps give, and insists on what a
real host would: a file needs its folder, a unit is known once systemd has read it, and a
service starts only when all that it reads is there.
"""

import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from playbooks import layout, services, units
from playbooks.commands import Command, Put, Result, Run
from playbooks.debs import NEEDED
from playbooks.facts.files import Kind
from playbooks.facts.firewall import FIREWALL
from playbooks.facts.installation import INSTALLATION
from playbooks.facts.users import user
from playbooks.services import Service
from playbooks.steps.packages import PACKAGES
from playbooks.transport import CommandFailedError, HostUnreachableError
from tests.unit.playbooks.shelf_texts import ASKED

SERVICES: Mapping[str, Service] = {
    service.unit: service
    for service in (
        services.node(),
        services.firewall(),
        *(services.head(letter) for letter in layout.LETTERS),
        *(services.gateway(letter) for letter in layout.LETTERS),
    )
}
_ASKED = re.compile(r"^timeout -k 1 \d+ sh -c (.*?) </dev/null$", re.MULTILINE | re.DOTALL)
_BARE = ("/etc", "/opt", "/var/lib", "/run", layout.UNITS)


@dataclass(slots=True, kw_only=True)
class Entry:
    """What stands at a path."""

    kind: Kind
    mode: int = 0o755
    owner: str = "root:root"
    content: bytes = b""
    target: str = ""


@dataclass(slots=True, kw_only=True)
class Unit:
    """`stamp` is that of the inputs that it was started with."""

    enabled: bool = False
    active: bool = False
    stamp: str = ""
    starts: int = 0


class BrokenError(HostUnreachableError):
    """The connection ended, as a test wanted."""


class ModelHost:
    """A transport to a host that answers `texts` where it is not asked for what it models.

    The connection ends at the change number `breaks_at`, from 1, before the host has carried
    it out or, with `unheard`, after that and before it could say so. `filters` says that the
    firewall's rules are in force. `refuses` are versions of onnxruntime that die on its CPU.
    With `lingers` a gateway that was told to leave ends only when somebody waits for it.
    """

    def __init__(self, texts: Mapping[str, str | Result]) -> None:
        self.texts = {ASKED[name].command: said for name, said in texts.items() if name in ASKED}
        self.paths = {path: Entry(kind=Kind.FOLDER) for path in _BARE}
        self.units: dict[str, Unit] = {}
        self.read_by_systemd: dict[str, bytes] = {}
        self.user = ""
        self.packages = set(NEEDED)
        self.filters = False
        self.refuses: set[str] = set()
        self.changes: list[str] = []
        self.signals: list[str] = []
        self.breaks_at = 0
        self.unheard = False
        self.lingers = False
        self.questions = 0

    def run(self, command: Run) -> Result:
        if opening := re.search(r"facts ([0-9a-f]{16})", command.text):
            self.questions += 1
            return self._told(opening[1], command.text)
        with_break = self._begin(command)
        result = self._carried_out(command)
        if with_break:
            raise BrokenError("the connection was lost", fix="run this again")
        return result

    def put(self, command: Put) -> None:
        with_break = self._begin(command)
        folder = command.to.rpartition("/")[0]
        if folder not in self.paths:
            raise CommandFailedError(f"{command.to}: there is no {folder}")
        self._assert_roots(command.to)
        content = command.content
        self.paths[command.to] = Entry(
            kind=Kind.FILE,
            mode=command.mode,
            owner=command.owner,
            content=content.read_bytes() if isinstance(content, Path) else content,
        )
        if with_break:
            raise BrokenError("the connection was lost", fix="run this again")

    def close(self) -> None:
        return

    def running(self) -> set[str]:
        """The services that are up, without what they stand on."""
        base = {units.RAY_MOUNT, services.firewall().unit}
        return {name for name, unit in self.units.items() if unit.active} - base

    def holds(self) -> dict[str, tuple[Kind, int, str, bytes, str]]:
        """What lies there, without what is drawn anew each time."""
        drawn = (layout.KEY, layout.CERTIFICATE)
        return {
            path: (e.kind, e.mode, e.owner, b"" if path in drawn else e.content, e.target)
            for path, e in self.paths.items()
        }

    def _begin(self, command: Command) -> bool:
        """Keep a change; return whether the connection ends once it has been carried out."""
        self.changes.append(str(command))
        if len(self.changes) != self.breaks_at:
            return False
        if not self.unheard:
            raise BrokenError("the connection was lost", fix="run this again")
        return True

    # What is asked.

    def _told(self, nonce: str, question: str) -> Result:
        asked = [_unquoted(text) for text in _ASKED.findall(question)]
        stdout = stderr = f"facts {nonce}\n"
        for number, command in enumerate(asked):
            said = self._answer(command)
            told = Result(stdout=said) if isinstance(said, str) else said
            closing = f"\n{nonce} {number} {told.exit_code}\n"
            stdout += told.stdout + closing
            stderr += told.stderr + closing
        return Result(stdout=stdout, stderr=stderr)

    def _answer(self, command: str) -> str | Result:
        if command == INSTALLATION.command:
            return "".join(self._installed())
        if command == user(layout.USER).command:
            return f"{self.user}:x:998:998::{layout.HOME}:/usr/sbin/nologin\n" if self.user else ""
        if command == PACKAGES.command:
            return "".join(f"{name} installed 1\n" for name in sorted(self.packages))
        if command == FIREWALL.command:
            gone = Result(stderr="Error: No such file or directory\n", exit_code=1)
            return "table inet farm { hook input }" if self.filters else gone
        if command in self.texts:
            return self.texts[command]
        if not command.startswith(("systemctl show ", "cat -- ", "ls -d ", "find ")):
            return Result(exit_code=127)
        first = shlex.split(command.partition("\n")[0])
        if first[0] == "systemctl":
            shown = "\n".join(self._unit(name) for name in first[first.index("--") + 1 :])
            service = SERVICES.get(first[-1])
            if service is None or "stamp" not in command:
                return shown
            marker = self.units.get(service.unit, Unit()).stamp
            return f"{shown}\nstamp {self._stamp(service)}\nstamp {marker}\n"
        if first[0] == "cat":
            entry = self.paths.get(first[2])
            return Result(exit_code=1) if entry is None else entry.content.decode()
        if first[0] == "ls":
            runs = self.paths.get("/".join(first[2].split("/")[:4]))
            folder = "" if runs is None else f"{runs.target}/lib/python3.11/site-packages"
            return f"{folder}/ray-2.60.0.dist-info\n" if folder else Result(exit_code=2)
        return "".join(self._found(first))

    def _found(self, words: list[str]) -> Iterator[str]:
        paths = words[1 : next(at for at, word in enumerate(words) if word.startswith("-"))]
        depth = int(words[words.index("-maxdepth") + 1])
        for path, entry in self.paths.items():
            for root in paths:
                below = path.removeprefix(f"{root}/").count("/") + 1
                inside = path.startswith(f"{root}/") and 1 <= below <= depth
                if (path == root) if depth == 0 else inside:
                    size = len(entry.content)
                    yield (
                        f"at {entry.kind} {entry.mode:o} {entry.owner} {size}"
                        f"\t{path}\t{entry.target}\n"
                    )
                    if depth == 0 and entry.kind is Kind.FILE:
                        yield f"{hashlib.sha256(entry.content).hexdigest()}  {path}\n"

    def _installed(self) -> Iterator[str]:
        for path, entry in self.paths.items():
            folder, _, name = path.rpartition("/")
            if folder == layout.SOFTWARE and entry.kind is Kind.LINK:
                yield f"link {name} {entry.target}\n"
            elif folder == layout.RELEASES:
                yield f"release {name}\n"
            elif folder.startswith(f"{layout.RELEASES}/") and name[:2] in (".c", ".r"):
                yield f"stamp {name} {folder}\n"

    def _unit(self, name: str) -> str:
        unit = self.units.get(name, Unit())
        path = _file_of(name)
        loaded = "loaded" if path in self.read_by_systemd else "not-found"
        there = self.paths.get(path)
        old = there is not None and there.content != self.read_by_systemd.get(path)
        return (
            f"Id={name}\nLoadState={loaded}\n"
            f"UnitFileState={'enabled' if unit.enabled else 'disabled'}\n"
            f"ActiveState={'active' if unit.active else 'inactive'}\nNRestarts=0\n"
            f"NeedDaemonReload={'yes' if old else 'no'}\n"
        )

    def _stamp(self, service: Service) -> str:
        if layout.STAMP not in self.paths:
            return ""
        seen = [
            (path, entry.target or entry.content) if (entry := self.paths.get(path)) else (path,)
            for path in service.inputs
        ]
        return hashlib.sha256(repr(seen).encode()).hexdigest()

    # What is done.

    def _carried_out(self, command: Run) -> Result:
        if command.shown.startswith("wait for "):
            self._of(command.shown.split()[2]).active = False
            return Result()
        assert command.sudo, f"nobody but root may {command}"
        if command.shown.startswith("install release "):
            self._install(command.shown.split()[2])
        elif command.shown.startswith("try onnxruntime "):
            self._try(command.shown.split()[2], command.text)
        elif command.shown.startswith("systemctl restart "):
            self._start(command.shown.split()[2])
        elif command.shown.startswith("install "):
            self.packages |= set(re.findall(r"[a-z][a-z0-9]+", command.shown.split(" from ")[0]))
        else:
            for part in re.split(r" && |\n", command.text):
                self._do(shlex.split(part))
        return Result()

    def _do(self, words: list[str]) -> None:
        match words:
            case ["useradd", *_, name]:
                self.user = name
            case ["install", "-d", "-m", mode, "-o", owner, "-g", group, *paths]:
                assert self.user or owner == "root"
                for path in paths:
                    self._assert_roots(path)
                    self.add_folder(path, int(mode, 8), f"{owner}:{group}")
            case ["runuser", "-u", own, "--", "install", "-d", "-m", mode, *paths]:
                for path in paths:
                    # Root would follow a link that such a user put there.
                    assert self.paths[path.rpartition("/")[0]].owner.startswith(f"{own}:")
                    self.add_folder(path, int(mode, 8), f"{own}:{own}")
            case ["runuser", "-u", owner, "--", "install", "-d", "-m", mode, *paths]:
                for path in paths:
                    assert self.paths[path.rpartition("/")[0]].owner == f"{owner}:{owner}"
                    self.add_folder(path, int(mode, 8), f"{owner}:{owner}")
            case ["mkdir", "-p", *paths]:
                for path in paths:
                    self.add_folder(path, 0o755, "root:root")
            case ["ln", "-sfn", target, beside]:
                self.paths[beside] = Entry(kind=Kind.LINK, target=target)
            case ["mv", "-fT", beside, path]:
                self.paths[path] = self.paths.pop(beside)
            case ["touch", path]:
                self.paths[path] = Entry(kind=Kind.FILE)
            case ["set", "-e"]:
                pass
            case ["nft", "delete", "table", "inet", "farm", *_]:
                self.filters = False
            case ["userdel", name]:
                assert name == self.user
                self.user = ""
            case ["rm", "-rf", "--one-file-system", "--", *paths] | ["rm", "-rf" | "-f", *paths]:
                for known in list(self.paths):
                    if any(f"{known}/".startswith(f"{path}/") for path in paths):
                        del self.paths[known]
            case ["systemctl", *verb]:
                self._systemctl(verb)
            case _:
                raise AssertionError(f"no step is known that would run {words}")

    def _assert_roots(self, path: str) -> None:
        """Insist that only root could have put a link there, which root would follow."""
        parent = self.paths.get(path.rpartition("/")[0])
        assert parent is None or parent.owner.startswith("root:"), f"{path} is in a user's folder"

    def add_folder(self, path: str, mode: int = 0o755, owner: str = "root:root") -> None:
        assert path.rpartition("/")[0] in self.paths, f"{path} has no folder to be in"
        self.paths[path] = Entry(kind=Kind.FOLDER, mode=mode, owner=owner)

    def _systemctl(self, verb: list[str]) -> None:
        match verb:
            case ["daemon-reload"]:
                self.read_by_systemd = {
                    path: entry.content
                    for path, entry in self.paths.items()
                    if path.startswith(f"{layout.UNITS}/")
                }
            case ["enable", *flags, name]:
                # It has systemd read all units, as `daemon-reload` does.
                self._systemctl(["daemon-reload"])
                self._known(name)
                self._of(name).enabled = True
                if "--now" in flags:
                    self._of(name).active = True
            case ["disable", *flags, name]:
                self._of(name).enabled = False
                if "--now" in flags:
                    self._of(name).active = False
            case ["reset-failed"]:
                pass
            case ["stop", name]:
                self._of(name).active = False
            case ["reload", name]:
                self._known(name)
                self._of(name).stamp = self._stamp(SERVICES[name])
                self.filters |= SERVICES[name] == services.firewall()
            case ["kill", *_, name]:
                # A gateway ends by itself once its clients have gone over.
                self.signals.append(name)
                self._of(name).active = self.lingers
            case _:
                raise AssertionError(f"no step is known that would run systemctl {verb}")

    def _install(self, release: str) -> None:
        folder = layout.release(release)
        assert f"{layout.WHEELS}/{release}.txt" in self.paths
        assert layout.complete(release) not in self.paths, "what is whole is not installed again"
        self.paths[folder] = Entry(kind=Kind.FOLDER)

    def _try(self, version: str, text: str) -> None:
        found = re.search(rf"({layout.RELEASES}/\S+)/\.trial", text)
        assert found is not None
        assert found[1] in self.paths
        stamp = "refused" if version in self.refuses else "complete"
        self.paths[f"{found[1]}/.{stamp}"] = Entry(kind=Kind.FILE)

    def _start(self, name: str) -> None:
        service = SERVICES[name]
        text = self._known(name).decode()
        required = re.findall(r"^Requires=(.*)$", text, re.MULTILINE)
        for other in " ".join(required).split():
            if not self._of(other).active and other != units.RAY_MOUNT:
                self._start(other)
            self._known(other)
            self._of(other).active = True
        for path in service.inputs:
            self._check_whole(path)
        self.paths.pop(services.retired(name), None)
        self.paths[services.STARTED] = Entry(kind=Kind.FOLDER)
        unit = self._of(name)
        unit.active, unit.stamp = True, self._stamp(service)
        unit.starts += 1
        self.filters |= service == services.firewall()

    def _known(self, name: str) -> bytes:
        path = _file_of(name)
        assert path in self.read_by_systemd, f"systemd does not know {name}"
        assert self.read_by_systemd[path] == self.paths[path].content, f"{name}: no daemon-reload"
        return self.read_by_systemd[path]

    def _check_whole(self, path: str) -> None:
        """Insist that what a service reads is there, and all that this names in its turn."""
        assert path in self.paths, f"{path} is not there"
        entry = self.paths[path]
        if entry.kind is Kind.LINK:
            assert f"{entry.target}/.complete" in self.paths, f"{entry.target} is not whole"
        if path.endswith(".yaml"):
            for named in _paths_in(yaml.safe_load(entry.content)):
                known = named if named in self.paths else named.rpartition("/")[0]
                assert known in self.paths, f"{path} names {named}"
                assert known == named or named.startswith((layout.HOME, layout.REVOCATIONS))

    def _of(self, name: str) -> Unit:
        return self.units.setdefault(name, Unit())


def _unquoted(text: str) -> str:
    """Undo `shlex.quote`, much faster than `shlex.split` does."""
    return text[1:-1].replace("'\"'\"'", "'") if text.startswith("'") else text


def _file_of(unit: str) -> str:
    return f"{layout.UNITS}/{re.sub('@[ab][.]', '@.', unit)}"


def _paths_in(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        for value in values.values():
            yield from _paths_in(value)
    elif isinstance(values, str) and values.startswith("/"):
        yield values
