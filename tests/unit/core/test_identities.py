"""Identities, as certificates hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from farm.core.identities import NAME, Identity, IdentityKind

names = st.from_regex(NAME, fullmatch=True)


@given(names, st.sampled_from(IdentityKind), names)
def test_an_identity_is_read_as_it_was_written(farm: str, kind: IdentityKind, name: str) -> None:
    identity = Identity(farm, kind, name)
    assert Identity.of_uri(identity.uri) == identity


@given(st.text())
def test_any_text_is_an_identity_or_none(text: str) -> None:
    identity = Identity.of_uri(text)
    assert identity is None or identity.uri == text


@pytest.mark.parametrize(
    "uri",
    [
        "farm://shelf/king/ann",
        "farm://shelf/operator/",
        "farm:///operator/ann",
        "farm://shelf/operator/ann/more",
        "farm://shelf/operator/ann\n",
        "FARM://shelf/operator/ann",
        "https://shelf/operator/ann",
        "farm://shelf/operator/%61nn",
        "farm://shelf:1/operator/ann",
    ],
)
def test_nothing_else_is_one(uri: str) -> None:
    assert Identity.of_uri(uri) is None


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a/b", "ä", "x" * 64, "a\n"])
def test_a_name_that_cannot_stand_in_a_certificate_is_refused(name: str) -> None:
    for arguments in ((name, "ann"), ("shelf", name)):
        with pytest.raises(ConfigurationError, match="cannot stand in a certificate"):
            Identity(arguments[0], IdentityKind.CLIENT, arguments[1])
