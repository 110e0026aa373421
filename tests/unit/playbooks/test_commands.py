"""Commands as values: quoted for the shell, and shown without what they hold."""

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from playbooks.commands import Put, Run, script, sh


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4))
def test_the_shell_gives_back_every_argument_as_it_was(arguments: list[str]) -> None:
    text = f"printf '%s\\0' {sh(*arguments)}" if arguments else "true"
    ended = subprocess.run(["sh", "-c", text], capture_output=True, check=True)
    assert ended.stdout.decode() == "".join(f"{each}\0" for each in arguments)


def test_a_script_ends_at_the_first_line_that_fails() -> None:
    ended = subprocess.run(
        ["sh", "-c", script("echo one", "false", "echo two")], capture_output=True, check=False
    )
    assert (ended.stdout, ended.returncode) == (b"one\n", 1)


def test_commands_show_who_runs_them_and_what_stands_in_their_place() -> None:
    assert str(Run(text="true")) == "true"
    assert str(Run(text="true", sudo=True)) == "sudo true"
    assert str(Run(text="long", sudo=True, shown="short")) == "sudo short"


def test_files_show_their_size_and_not_their_content(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"12345")
    for content in (b"12345", tmp_path / "key"):
        put = Put(content=content, to="/etc/key", mode=0o600, owner="root:farm")
        assert str(put) == "put /etc/key (5 bytes, root:farm 0600)"
        assert "12345" not in repr(put)
