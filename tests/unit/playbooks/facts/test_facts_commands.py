"""The commands of facts, asked of this machine, whose answers Python knows too."""

import hashlib
import os
import platform
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from playbooks.commands import Result
from playbooks.facts.base import Fact, Facts
from playbooks.facts.cpu import CPU
from playbooks.facts.disk import SPACE, WRITE_SPEED
from playbooks.facts.files import ABSENT, Kind, file_state, file_states, file_text, tree
from playbooks.facts.gather import answers, question
from playbooks.facts.memory import MEMORY
from playbooks.facts.mounts import MOUNTS
from playbooks.facts.own_name import OWN_NAME
from playbooks.facts.platform import PLATFORM
from playbooks.facts.python import PYTHON
from playbooks.facts.users import user


def ask(*facts: Fact[Any]) -> Facts:
    done = subprocess.run(
        ["sh", "-c", question(facts)], capture_output=True, text=True, timeout=60, check=True
    )
    return Facts(answers(Result(stdout=done.stdout, stderr=done.stderr), facts))


def test_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    facts = ask(PLATFORM, CPU, MEMORY, PYTHON, OWN_NAME)
    system = facts[PLATFORM]
    assert (system.machine, system.kernel) == (platform.machine(), platform.release())
    assert system.page_size_bytes == os.sysconf("SC_PAGE_SIZE")
    assert system.bits == 64
    assert facts[CPU].cores == len(os.sched_getaffinity(0))
    assert facts[CPU].cpu_class
    pages = os.sysconf("SC_PHYS_PAGES")
    assert facts[MEMORY].total_bytes == pages * os.sysconf("SC_PAGE_SIZE")
    assert facts[PYTHON].version == sys.version_info[:3]
    assert facts[OWN_NAME].name == os.uname().nodename
    assert facts[OWN_NAME].took_s is not None


def test_disks() -> None:
    facts = ask(SPACE, MOUNTS)
    for folder, space in facts[SPACE].items():
        assert space.size_bytes == pytest.approx(shutil.disk_usage(folder).total, rel=0.01)
        assert space.mount in facts[MOUNTS]
    assert "/opt" in facts[SPACE]


def test_measuring_the_write_speed_leaves_nothing(tmp_path: Path) -> None:
    here = Fact(
        name="write speed here",
        command=WRITE_SPEED.command.replace("/var/tmp", str(tmp_path)),  # noqa: S108
        parse=WRITE_SPEED.parse,
    )
    speed = ask(here)[here]
    assert speed is None or speed > 0
    assert list(tmp_path.iterdir()) == []


def test_paths(tmp_path: Path) -> None:
    file, folder, link = tmp_path / "a file", tmp_path / "folder", tmp_path / "link"
    file.write_bytes(b"content")
    file.chmod(0o640)
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "empty").touch()
    link.symlink_to("a file")
    there = file_states(str(file), str(folder), str(link), str(tmp_path / "none"))
    below, none = tree(str(folder), depth=2), file_state(str(tmp_path / "none"))
    text, no_text = file_text(str(file)), file_text(str(folder))
    facts = ask(there, below, none, text, no_text)
    states = facts[there]
    assert states.keys() == {str(file), str(folder), str(link)}
    assert states[str(file)].sha256 == hashlib.sha256(b"content").hexdigest()
    assert (states[str(file)].mode, states[str(file)].size_bytes) == (0o640, 7)
    assert states[str(file)].owner == f"{file.owner()}:{file.group()}"
    assert (states[str(folder)].kind, states[str(folder)].sha256) == (Kind.FOLDER, "")
    # What a link leads to is another path's state.
    assert (states[str(link)].target, states[str(link)].sha256) == ("a file", "")
    assert {name: state.kind for name, state in facts[below].items()} == {
        "deep": Kind.FOLDER,
        "deep/deeper": Kind.FOLDER,
        "empty": Kind.FILE,
    }
    assert facts[none] == ABSENT
    assert (facts[text], facts[no_text]) == ("content", None)


def test_users() -> None:
    own, nobody = user(pwd.getpwuid(os.getuid()).pw_name), user("no-such-user")
    facts = ask(own, nobody)
    known = facts[own]
    assert known is not None
    assert (known.uid, known.home) == (os.getuid(), pwd.getpwuid(os.getuid()).pw_dir)
    assert facts[nobody] is None
