"""Which list of revoked certificates may take the place of which."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.revocations import NO_REVOCATIONS, Revocation, RevocationList, RevocationReason

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def listed(number: int, serials: frozenset[int]) -> RevocationList:
    return RevocationList(
        number=number,
        revocations={
            serial: Revocation(serial=serial, revoked_at=NOW, reason=RevocationReason.UNSPECIFIED)
            for serial in serials
        },
    )


lists = st.builds(listed, st.integers(0, 5), st.frozensets(st.integers(1, 4)))


@settings(deadline=None)
@given(st.lists(lists))
def test_whatever_comes_after_it_what_was_revoked_stays_revoked(
    offered: list[RevocationList],
) -> None:
    in_force = NO_REVOCATIONS
    revoked: set[int] = set()
    for each in offered:
        if not each.why_not_after(in_force):
            in_force = each
        assert revoked <= in_force.revocations.keys()
        revoked |= in_force.revocations.keys()


@settings(deadline=None)
@given(lists)
def test_a_list_does_not_take_its_own_place(each: RevocationList) -> None:
    assert "is not above" in each.why_not_after(each)


def test_a_list_that_forgets_is_not_taken_however_new() -> None:
    assert "1 of the certificates" in listed(9, frozenset({1})).why_not_after(
        listed(2, frozenset({1, 2}))
    )
