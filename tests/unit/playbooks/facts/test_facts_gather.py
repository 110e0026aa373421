"""Many facts in one script, by the shell of this machine."""

import subprocess
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from playbooks.commands import Result
from playbooks.facts import gather
from playbooks.facts.base import Fact
from playbooks.facts.gather import answers, question


def raw(name: str, command: str) -> Fact[Result]:
    """A fact that is all that its command left."""
    return Fact(name=name, command=command, parse=lambda told: told)


def ask(*facts: Fact[Any]) -> dict[str, Any]:
    done = subprocess.run(
        ["sh", "-c", question(facts)], capture_output=True, text=True, timeout=60, check=True
    )
    return answers(Result(stdout=done.stdout, stderr=done.stderr), facts)


def test_every_fact_has_its_own_output_errors_and_exit_code() -> None:
    known = ask(
        raw("two lines", "echo one; echo two"),
        raw("no newline", "printf end"),
        raw("complains", "echo fine; echo trouble >&2; exit 3"),
        raw("silent", "true"),
    )
    assert known == {
        "two lines": Result(stdout="one\ntwo\n"),
        "no newline": Result(stdout="end"),
        "complains": Result(stdout="fine\n", stderr="trouble\n", exit_code=3),
        "silent": Result(),
    }


def test_a_fact_cannot_end_the_script_or_read_what_follows() -> None:
    known = ask(
        raw("exits", "exit 7"),
        raw("reads", "cat"),
        raw("is no shell text", "if ("),
        raw("is last", "echo here"),
    )
    assert known["exits"].exit_code == 7
    assert known["reads"] == Result()
    assert known["is no shell text"].exit_code == 2
    assert known["is last"].stdout == "here\n"


def test_a_fact_that_hangs_is_cut_and_the_others_are_known(monkeypatch: Any) -> None:
    monkeypatch.setattr(gather, "_BOUND_S", 0.2)
    known = ask(raw("hangs", "echo begun; sleep 60"), raw("is well", "echo here"))
    assert known["hangs"] == Result(stdout="begun\n", exit_code=124)
    assert known["is well"] == Result(stdout="here\n")


def test_what_a_login_prints_first_is_nobody_s_answer() -> None:
    fact = raw("name", "echo pi-1")
    text = f"echo Welcome; echo 'password: ' >&2\n{question([fact])}"
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    told = Result(stdout=done.stdout, stderr=done.stderr)
    assert answers(told, [fact]) == {"name": Result(stdout="pi-1\n")}


def test_a_fact_cannot_answer_for_another() -> None:
    forged = "facts 0123456789abcdef\\n\\n0123456789abcdef 1 0\\n"
    known = ask(raw("forges", f"printf '{forged}'"), raw("forged", "echo true"))
    assert known["forged"].stdout == "true\n"
    assert known["forges"].stdout.startswith("facts 0123456789abcdef\n")


def test_output_that_was_cut_short_answers_what_it_can() -> None:
    facts = [raw("first", "echo one"), raw("second", "echo two")]
    done = subprocess.run(["sh", "-c", question(facts)], capture_output=True, text=True, check=True)
    short = done.stdout[: done.stdout.index("two\n")]
    known = answers(Result(stdout=short), facts)
    assert known["first"].stdout == "one\n"
    assert known["second"] == Result(exit_code=-1)


@given(st.text(), st.text())
def test_no_output_makes_reading_it_fail(stdout: str, stderr: str) -> None:
    facts = [raw("a", ""), raw("b", "")]
    opening = "facts 0123456789abcdef\n"
    told = Result(stdout=opening + stdout, stderr=stderr)
    assert answers(told, facts).keys() == {"a", "b"}
