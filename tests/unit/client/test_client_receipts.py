"""What a receipt shows, and what it never shows alone."""

import pytest

from farm.client import ReceiptView

FULL = {
    "farm_node": "pi-1",
    "farm_route": "farm",
    "farm_model_digest": "abc",
    "farm_batch_size": 8,
    "farm_queue_us": 1500,
    "farm_compute_us": 250,
    "farm_policy": "round_robin",
    "farm_energy_j": 0.5,
    "farm_energy_low_j": 0.4,
    "farm_energy_high_j": 0.7,
    "farm_energy_source": "modelled",
    "farm_energy_provisional": True,
    "farm_cost": 1.5e-6,
    "farm_currency": "EUR",
    "farm_baseline": "c7g.large (2026-07)",
    "farm_baseline_cost": 4e-6,
    "triton_final_response": True,
}


def test_every_field_has_an_accessor() -> None:
    receipt = ReceiptView(FULL)
    assert (receipt.node, receipt.route, receipt.model_digest) == ("pi-1", "farm", "abc")
    assert (receipt.batch_size, receipt.queue_us, receipt.compute_us) == (8, 1500, 250)
    assert receipt.policy == "round_robin"
    assert (receipt.energy_j, receipt.energy_low_j, receipt.energy_high_j) == (0.5, 0.4, 0.7)
    assert (receipt.energy_source, receipt.energy_provisional) == ("modelled", True)
    assert (receipt.cost, receipt.currency) == (1.5e-6, "EUR")
    assert (receipt.baseline, receipt.baseline_cost) == ("c7g.large (2026-07)", 4e-6)
    assert "triton_final_response" not in receipt
    for name in receipt:
        assert getattr(receipt, name) == receipt[name]


def test_what_a_server_leaves_out_is_none() -> None:
    receipt = ReceiptView({})
    for key in FULL:
        if key.startswith("farm_"):
            assert getattr(receipt, key.removeprefix("farm_")) is None
    assert receipt.lines() == []
    assert "none given" in receipt._repr_html_()


def test_a_value_of_another_kind_is_not_passed_off() -> None:
    receipt = ReceiptView({"farm_node": 7, "farm_queue_us": True, "farm_cost": "much"})
    assert (receipt.node, receipt.queue_us, receipt.cost) == (None, None, None)


def test_joules_stand_beside_their_band_and_source() -> None:
    lines = dict(ReceiptView(FULL).lines())
    assert lines["energy"] == "0.5 J (0.4 to 0.7 J), modelled, provisional"
    settled = ReceiptView(FULL | {"farm_energy_provisional": False})
    assert "provisional" not in dict(settled.lines())["energy"]
    bare = dict(ReceiptView({"farm_energy_j": 0.5}).lines())
    assert bare["energy"] == "0.5 J, source not given"


def test_a_cost_stands_beside_its_baseline_or_not_at_all() -> None:
    assert dict(ReceiptView(FULL).lines())["cost"] == (
        "1.5e-06 EUR; c7g.large (2026-07): 4e-06 EUR"
    )
    alone = {key: FULL[key] for key in ("farm_cost", "farm_currency", "farm_baseline_cost")}
    assert ReceiptView(alone).lines() == []


def test_what_is_not_known_here_is_shown_too() -> None:
    assert ReceiptView({"farm_new_thing": 3}).lines() == [("new thing", "3")]


@pytest.mark.parametrize("key", ["farm_node", "farm_<i>"])
def test_html_is_escaped(key: str) -> None:
    html = ReceiptView({key: "<script>alert(1)</script>"})._repr_html_()
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;" in html
