"""What others say of waste is taken as far as it is understood, and adds up."""

from hypothesis import given
from hypothesis import strategies as st

from farm.core.ledger import WasteKind, waste_of


def test_what_is_told_of_no_kind_known_here_is_untold() -> None:
    assert waste_of({"hedged": 1, "eaten": 2}, 4) == {WasteKind.HEDGED: 1, WasteKind.UNTOLD: 3}
    assert waste_of({}, 2) == {WasteKind.UNTOLD: 2}
    assert waste_of({}, 0) == {}


@given(
    st.dictionaries(st.sampled_from([*WasteKind, "eaten"]), st.integers(1, 9)), st.integers(0, 9)
)
def test_no_request_is_lost(told: dict[str, int], wasted: int) -> None:
    known = sum(told.values()) - told.get("eaten", 0)
    assert sum(waste_of(told, wasted).values()) == max(known, wasted)
