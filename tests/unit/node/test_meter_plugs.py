"""What plugs and other meters in the network answer, and what they answer instead."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node.meters import http_json, json_documents, shelly, tasmota
from farm.node.meters.json_documents import Document
from farm.node.meters.reading import Fault, Reading

GEN2 = {
    "id": 0, "source": "init", "output": True, "apower": 6.4, "voltage": 231.4, "current": 0.051,
    "aenergy": {"total": 1712.345, "by_minute": [106.7, 105.9, 107.2], "minute_ts": 1763812920},
    "temperature": {"tC": 41.2, "tF": 106.2},
}  # fmt: skip
GEN1 = {
    "relays": [{"ison": True}, {"ison": True}],
    "meters": [
        {"power": 5.61, "is_valid": True, "timestamp": 0, "counters": [5.5, 5.6], "total": 703},
        {"power": 12.0, "overpower": 0.0, "is_valid": False, "timestamp": 0, "total": 0},
    ],
    "uptime": 86213,
}
TASMOTA = {
    "StatusSNS": {
        "Time": "2026-11-22T12:00:01",
        "ENERGY": {
            "TotalStartTime": "2025-01-01T00:00:00", "Total": 3.705, "Yesterday": 0.028,
            "Period": 1, "Power": 5, "ApparentPower": 9, "Factor": 0.55, "Voltage": 233,
        },
    }
}  # fmt: skip


def several(power: object, total: object) -> dict[str, object]:
    return {"StatusSNS": {"ENERGY": {"Power": power, "Total": total}}}


def test_gen2() -> None:
    reading = Reading(watts=6.4, counted_j=1712.345 * 3600, tick="1763812920", tick_s=60.0)
    assert shelly.parse_gen2(GEN2) == reading


def test_gen2_before_it_knows_the_time_and_without_a_counter() -> None:
    young = GEN2 | {"aenergy": {"total": 0.0, "minute_ts": 60}}
    assert shelly.parse_gen2(young) == Reading(watts=6.4, counted_j=0.0, tick_s=60.0)
    assert shelly.parse_gen2({"apower": 6.4}) == Reading(watts=6.4, tick_s=60.0)


def test_gen1_counts_watt_minutes() -> None:
    reading = Reading(watts=5.61, counted_j=703 * 60.0, tick="86213")
    assert shelly.parse_gen1(GEN1, 0) == reading


def test_tasmota_counts_kilowatt_hours() -> None:
    reading = Reading(watts=5.0, counted_j=pytest.approx(3.705 * 3.6e6), tick="2026-11-22T12:00:01")
    assert tasmota.parse(TASMOTA, 0) == reading


def test_tasmota_of_old_has_another_name_for_it() -> None:
    old = {"StatusPWR": {"Total": 1.0, "Power": 7, "Voltage": 233}}
    assert tasmota.parse(old, 0) == Reading(watts=7.0, counted_j=3.6e6)


def test_tasmota_of_several_channels() -> None:
    assert tasmota.parse(several([23.63, 67.17], [1.0, 2.0]), 1) == Reading(
        watts=67.17, counted_j=7.2e6
    )


def test_a_counter_of_all_channels_is_not_one_of_them() -> None:
    assert tasmota.parse(several([23.63, 67.17], 3.262), 0) == Reading(watts=23.63)


@pytest.mark.parametrize(
    ("document", "watts_at", "watts"),
    [
        ({"meter": [{"power": 4.2}]}, "meter.0.power", 4.2),
        ([3, [4]], "1.0", 4.0),
        ({"0": {"w": 5}}, "0.w", 5.0),
        ({"state": " 6.25 "}, "state", 6.25),
    ],
)
def test_watts_at_a_known_place(document: object, watts_at: str, watts: float) -> None:
    assert http_json.parse(document, watts_at) == Reading(watts=watts)


@pytest.mark.parametrize(
    ("parse", "document", "says"),
    [
        (shelly.parse_gen2, {"id": 0, "output": True}, "does not measure power"),
        (shelly.parse_gen2, GEN2 | {"apower": None}, "does not measure power"),
        (lambda found: shelly.parse_gen1(found, 1), GEN1, "not valid"),
        (lambda found: shelly.parse_gen1(found, 2), GEN1, "no power of channel 2"),
        (lambda found: tasmota.parse(found, 1), TASMOTA, "no power of channel 1"),
        (lambda found: tasmota.parse(found, 0), {"Command": "Unknown"}, "no power of channel 0"),
        (lambda found: http_json.parse(found, "a.b"), {"a": {}}, "has nothing at a.b"),
        (lambda found: http_json.parse(found, "a"), {"a": "5.2 W"}, "has '5.2 W' at a"),
        (lambda found: http_json.parse(found, "a"), {"a": True}, "has True at a"),
    ],
)
def test_what_is_missing_is_told(
    parse: Callable[[object], object], document: object, says: str
) -> None:
    fault = parse(document)
    assert isinstance(fault, Fault)
    assert says in fault.text


# -- anything at all ----------------------------------------------------------------------

KEYS = st.sampled_from(
    ["apower", "aenergy", "total", "minute_ts", "meters", "power", "is_valid", "uptime",
     "StatusSNS", "StatusPWR", "ENERGY", "Power", "Total", "Time", "0"]
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(), inner),
)


@settings(deadline=None)
@given(JSON, st.integers(0, 3), st.text())
def test_no_document_raises(document: object, channel: int, watts_at: str) -> None:
    for found in (
        shelly.parse_gen2(document),
        shelly.parse_gen1(document, channel),
        tasmota.parse(document, channel),
        http_json.parse(document, watts_at),
        http_json.parse(document, "meters.0.power"),
    ):
        assert isinstance(found, Reading | Fault)
        if isinstance(found, Reading):
            assert found.watts is not None
            assert abs(found.watts) < float("inf")
            assert found.counted_j is None or abs(found.counted_j) < float("inf")


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_raise(body: bytes) -> None:
    assert isinstance(json_documents.decode(body), Document | Fault)


@pytest.mark.parametrize("body", [b"[" * 60_000, b"9" * 5_000, b"\xff\xfe", b"", b"{"])
def test_what_is_no_json_is_a_fault(body: bytes) -> None:
    fault = json_documents.decode(body)
    assert isinstance(fault, Fault)
    assert "instead of JSON" in fault.text


def test_a_page_is_called_one() -> None:
    fault = json_documents.decode(b"\n<!doctype html><title>Login</title>")
    assert isinstance(fault, Fault)
    assert "answers with HTML instead of JSON" in fault.text
