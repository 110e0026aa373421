"""What each role may do, beside the others."""

from farm.core.identities import IdentityKind
from farm.core.roles import KIND_OF, ROLE_OF, Role


def test_each_role_is_more_than_those_before_it() -> None:
    assert Role.INFER < Role.OPERATE < Role.ADMIN
    assert sorted(Role) == list(Role)
    assert max(Role) is Role.ADMIN


def test_a_role_is_written_as_commands_name_it() -> None:
    assert [str(role) for role in Role] == ["infer", "operate", "admin"]
    assert Role("operate") is Role.OPERATE


def test_every_certificate_has_a_role_and_every_role_a_certificate() -> None:
    assert set(ROLE_OF) == set(IdentityKind)
    assert all(ROLE_OF[KIND_OF[role]] is role for role in Role)


def test_a_machine_is_nobody_who_runs_the_farm() -> None:
    assert ROLE_OF[IdentityKind.NODE] is Role.INFER
