"""Tokens: what is issued, what is kept, and who is told what."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError, UnauthenticatedError
from farm.core.roles import Role
from farm.core.tokens import TokenBook, Tokens, is_token

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def issued(*names: str, role: Role = Role.INFER, days: int = 30) -> tuple[Tokens, list[str]]:
    tokens, texts = Tokens(), []
    for name in names:
        tokens, text = tokens.issue(name, role, now=NOW, days=days)
        texts.append(text)
    return tokens, texts


def refusal(tokens: Tokens, text: str, *, after: timedelta = timedelta()) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        TokenBook(tokens).holder(text, now=NOW + after)
    return caught.value.message


def test_who_shows_a_token_is_known_by_it() -> None:
    tokens, (ci, ann) = issued("ci", "ann", role=Role.OPERATE)
    book = TokenBook(Tokens.of_json(tokens.to_json()))
    assert [book.holder(text, now=NOW).name for text in (ci, ann)] == ["ci", "ann"]
    assert book.holder(ci, now=NOW).role is Role.OPERATE


def test_a_token_is_recognised_and_holds_256_random_bits() -> None:
    _, texts = issued("ci", "ann")
    for text in texts:
        assert re.fullmatch(r"farm_[0-9a-f]{12}_[0-9a-f]{64}", text)
        assert is_token(text)
    assert texts[0][-64:] != texts[1][-64:]


def test_nothing_of_the_secret_is_kept() -> None:
    tokens, (text,) = issued("ci")
    secret = text.rpartition("_")[2]
    assert secret.encode() not in tokens.to_json()
    assert secret not in repr(tokens)


def test_an_unknown_token_and_a_wrong_one_are_told_the_same() -> None:
    tokens, (text,) = issued("ci")
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    unknown = f"farm_{'0' * 12}_{'0' * 64}"
    said = {refusal(tokens, each) for each in (wrong, unknown, "farm_", text + "0", "farm_é")}
    assert len(said) == 1
    assert "none of the farm's" in said.pop()


def test_who_shows_the_right_secret_too_late_is_told_when_it_ended() -> None:
    tokens, (text,) = issued("ci", days=30)
    month = timedelta(days=30)
    assert TokenBook(tokens).holder(text, now=NOW + month - timedelta(seconds=1))
    assert "'ci' was good until 2026-12-22 12:00 UTC" in refusal(tokens, text, after=month)
    taken = tokens.revoke("ci", now=NOW + timedelta(days=1))
    assert "'ci' was revoked on 2026-11-23 12:00 UTC" in refusal(taken, text)
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert "ci" not in refusal(taken, wrong)


def test_who_was_let_in_is_let_in_only_as_long_as_the_token_is_good() -> None:
    tokens, (text,) = issued("ci", days=30)
    holder = TokenBook(tokens).holder(text, now=NOW)
    TokenBook(tokens).check(holder, now=NOW)
    month = NOW + timedelta(days=30)
    for then, now in ((tokens, month), (tokens.revoke("ci", now=NOW), NOW), (Tokens(), NOW)):
        with pytest.raises(UnauthenticatedError):
            TokenBook(then).check(holder, now=now)


def test_revoking_one_leaves_the_others() -> None:
    tokens, (_, ann) = issued("ci", "ann")
    assert TokenBook(tokens.revoke("ci", now=NOW)).holder(ann, now=NOW).name == "ann"


def test_a_name_has_one_good_token() -> None:
    tokens, _ = issued("ci", days=30)
    with pytest.raises(ConfigurationError, match="another name, or revoke"):
        tokens.issue("ci", Role.INFER, now=NOW, days=1)
    for then in (NOW, NOW + timedelta(days=31)):
        taken = tokens.revoke("ci", now=NOW) if then == NOW else tokens
        again, _ = taken.issue("ci", Role.INFER, now=then, days=1)
        assert len(again.issued) == 2


@pytest.mark.parametrize("name", ["", "a b", "../ci", "é", "x" * 64, "ci\n"])
def test_a_name_is_one(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be called"):
        Tokens().issue(name, Role.INFER, now=NOW, days=1)


def test_nobody_is_revoked_who_has_none() -> None:
    tokens, _ = issued("ci")
    with pytest.raises(ConfigurationError, match="good are: ci"):
        tokens.revoke("bob", now=NOW)
    with pytest.raises(ConfigurationError, match="good are: none"):
        tokens.revoke("ci", now=NOW).revoke("ci", now=NOW)


ENTRY = (
    '{"id": "000000000000", "name": "ci", "role": "infer", "sha256": "%s",'
    ' "issued": "2026-11-22T12:00:00+00:00", "expires": "2026-12-22T12:00:00+00:00",'
    ' "revoked": null}' % ("0" * 64)
)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"format": 2, "tokens": []}', '{"format": 1}',
        '{"format": 1, "tokens": 3}', '{"format": 1, "tokens": [3]}', "[" * 100_000,
        *(
            f'{{"format": 1, "tokens": [{ENTRY.replace(*change)}]}}'
            for change in (
                ("infer", "king"), ("+00:00", ""), ('"ci"', "7"), ("000000000000", "0"),
                ('"revoked": null', '"revoked": 1'), ("0" * 64, "0" * 63), ('"sha256"', '"md5"'),
            )
        ),
        f'{{"format": 1, "tokens": [{ENTRY}, {ENTRY}]}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Tokens.of_json(content.encode())
    assert "0" * 40 not in str(caught.value)


def test_the_entry_of_these_tests_is_a_good_one() -> None:
    assert Tokens.of_json(f'{{"format": 1, "tokens": [{ENTRY}]}}'.encode()).issued[0].name == "ci"


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(ValueError):
        Tokens.of_json(content)


@settings(deadline=None)
@given(text=st.text(max_size=120))
def test_no_other_text_lets_anybody_in(text: str) -> None:
    tokens, (good,) = issued("ci")
    if text != good:
        refusal(tokens, text)
