"""What operators wish outlives the gateway, whole or not at all, whatever happens."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_onnx import MODEL, model, node

from farm.core.errors import ConfigurationError, FarmError, LoadFailedError
from farm.repository.repository import ModelOverride, Repository, Wish

Put = Callable[..., Path]
Open = Callable[..., Repository]

FILES = {"1/model.onnx": MODEL, "1/data/w.bin": b"weights"}
BROUGHT = Wish(loaded=True, override=ModelOverride(config='{"max_batch_size": 2}', files=FILES))
CONFIGURED = Wish(loaded=True, override=ModelOverride(config='{"max_batch_size": 3}'))
UNLOADED = Wish(loaded=False)
WISHES = {"brought": BROUGHT, "configured": CONFIGURED, "unloaded": UNLOADED}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def stored(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "overrides").iterdir())


def test_nothing_is_wished_at_first(repository: Open, state: Path) -> None:
    assert repository().wish("digits") is None
    assert not state.exists()


@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("what", WISHES)
def test_a_wish_is_remembered(repository: Open, what: str, state: bool) -> None:
    opened = repository(state=state)
    opened.record("m", WISHES[what])
    assert opened.wish("m") == WISHES[what]
    opened.record("m", None)
    assert opened.wish("m") is None


@pytest.mark.parametrize("what", WISHES)
def test_a_wish_outlives_the_gateway(repository: Open, what: str) -> None:
    repository().record("m", WISHES[what])
    assert repository().wish("m") == WISHES[what]
    repository().record("m", None)
    assert repository().wish("m") is None


def test_without_a_state_folder_nothing_outlives_the_gateway(
    repository: Open, tmp_path: Path
) -> None:
    repository(state=False).record("m", BROUGHT)
    assert repository(state=False).wish("m") is None
    assert list((tmp_path / "scratch/overrides").iterdir()) == []


def test_a_look_at_all_models_lists_what_was_loaded_in_their_place(
    repository: Open, put: Put
) -> None:
    for name in ("configured", "plain", "unloaded"):
        put(f"{name}/7/model.onnx")
    opened = repository()
    for name, wish in WISHES.items():
        opened.record(name, wish)
    listings = repository().scan()
    assert [
        (listing.name, version.artifact.key.version, version.artifact.max_batch_size)
        for listing in listings
        for version in listing.available
    ] == [("brought", 1, 2), ("configured", 7, 3), ("plain", 7, None), ("unloaded", 7, None)]


def test_a_folder_that_went_away_leaves_its_wish_and_no_model(repository: Open) -> None:
    repository().record("configured", CONFIGURED)
    assert repository().scan() == ()


def test_damaged_files_of_a_load_refuse_their_model_alone(
    repository: Open, put: Put, state: Path
) -> None:
    put("good/1/model.onnx")
    repository().record("brought", BROUGHT)
    (path,) = state.rglob("w.bin")
    path.write_bytes(b"changed")
    opened = repository()
    brought, good = opened.scan()
    assert "files that model 'brought' was last loaded with are gone or damaged" in brought.refusal
    assert good.available
    wish = opened.wish("brought")
    assert wish is not None
    assert wish.loaded
    assert wish.override is not None
    assert wish.override.files["1/model.onnx"] == MODEL
    with pytest.raises(ConfigurationError, match="gone or damaged"):
        wish.override.files["1/data/w.bin"]
    # The same load again makes it whole.
    opened.scan_model("brought", BROUGHT.override)
    opened.record("brought", BROUGHT)
    assert repository().scan()[0].available


def test_old_files_are_deleted_when_a_gateway_starts(repository: Open, state: Path) -> None:
    opened = repository()
    opened.record("m", BROUGHT)
    opened.scan_model("other", ModelOverride(config="{}", files=FILES))
    (state / "overrides/.half-written/m/1").mkdir(parents=True)
    assert len(stored(state)) == 3
    repository()
    assert len(stored(state)) == 1
    assert repository().wish("m") == BROUGHT


def steps_of_a_record(
    opened: Repository, wish: Wish, monkeypatch: pytest.MonkeyPatch, die_at: int
) -> int:
    """Record a wish in a gateway that dies at a step to disk; return how many there were."""
    steps = 0

    class Dead(BaseException):
        """Nothing handles this, as nothing runs in a process that was killed."""

    def counted(really: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == die_at:
                raise Dead
            return really(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        for owner, name in (
            (os, "fsync"),
            (os, "mkdir"),
            (Path, "rename"),
            (Path, "replace"),
            (Path, "open"),
        ):
            patch.setattr(owner, name, counted(getattr(owner, name)))
        with contextlib.suppress(Dead):
            opened.record("m", wish)
    return steps


@pytest.mark.parametrize("before", [None, UNLOADED, CONFIGURED, BROUGHT])
def test_a_crash_leaves_the_old_state_or_the_new(
    repository: Open, monkeypatch: pytest.MonkeyPatch, before: Wish | None
) -> None:
    files = {"1/model.onnx": model(node(), node()), "2/model.onnx": MODEL}
    after = Wish(loaded=True, override=ModelOverride(config="{}", files=files))
    seen = set()
    die_at, steps = 0, 0
    while die_at == steps:
        die_at += 1
        opened = repository()
        opened.record("m", before)
        opened.record("other", BROUGHT)
        steps = steps_of_a_record(opened, after, monkeypatch, die_at)
        again = repository()
        assert again.wish("m") in (before, after)
        assert again.wish("other") == BROUGHT
        seen.add(again.wish("m") == after)
    assert die_at > 10
    assert seen == {True, False}


@pytest.mark.parametrize("wish", [UNLOADED, BROUGHT])
def test_a_state_folder_that_cannot_be_written_keeps_the_old_wish(
    repository: Open, monkeypatch: pytest.MonkeyPatch, wish: Wish
) -> None:
    opened = repository()
    opened.record("m", CONFIGURED)

    def refuse(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises((ConfigurationError, LoadFailedError), match="Input/output error"):
            opened.record("m", wish)
    assert opened.wish("m") == CONFIGURED
    assert repository().wish("m") == CONFIGURED


GOOD = {"schema": 1, "models": {"m": {"loaded": True, "config": "{}"}}}
FILE = ["1/model.onnx", "a" * 64, 3]


def with_wish(**wish: Any) -> dict[str, Any]:
    return {"schema": 1, "models": {"m": wish}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "\xff".encode("latin-1"),
        "[" * 100_000,
        {},
        {"schema": 1},
        {"schema": 2, "models": {}},
        {"schema": 1, "models": []},
        {"schema": 1, "models": {}, "more": 1},
        {"schema": 1, "models": {"m": True}},
        with_wish(),
        with_wish(loaded=1),
        with_wish(loaded=True, more=1),
        with_wish(loaded=True, config=None),
        with_wish(loaded=True, entry="m-1", files=[FILE]),
        with_wish(loaded=True, config="{}", entry="m-1"),
        with_wish(loaded=True, config="{}", entry=1, files=[]),
        with_wish(loaded=True, config="{}", entry="../m", files=[FILE]),
        with_wish(loaded=True, config="{}", entry="m-1", files={}),
        with_wish(loaded=True, config="{}", entry="m-1", files=[["../x", "a" * 64, 3]]),
        with_wish(loaded=True, config="{}", entry="m-1", files=[["1/x", "A" * 64, 3]]),
        with_wish(loaded=True, config="{}", entry="m-1", files=[["1/x", "a" * 64, -1]]),
        with_wish(loaded=True, config="{}", entry="m-1", files=[["1/x", "a" * 64]]),
        {
            "schema": 1,
            "models": {"../m": {"loaded": True, "config": "{}", "entry": "m-1", "files": [FILE]}},
        },
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(
    repository: Open, state: Path, content: object
) -> None:
    state.mkdir()
    data = content if isinstance(content, str | bytes) else json.dumps(content)
    (state / "desired.json").write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(FarmError) as caught:
        repository()
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.message.startswith("desired.json in the gateway's state folder")
    assert "move it away" in caught.value.message
    assert str(state) not in caught.value.message
    assert caught.value.message.isprintable()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_short_or_with_a_lost_byte_costs_no_wish(
    repository: Open, state: Path, data: st.DataObject
) -> None:
    shutil.rmtree(state, ignore_errors=True)
    opened = repository()
    opened.record("m", CONFIGURED)
    opened.record("brought", BROUGHT)
    path = state / "desired.json"
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:place])
    else:
        path.write_bytes(whole[:place] + b"\0" + whole[place + 1 :])
    damaged = path.read_bytes()
    again = repository()
    assert again.wish("m") == CONFIGURED
    assert again.wish("brought") == BROUGHT
    assert not repository().restored
    if again.restored:
        assert again.restored.isprintable()
        assert path.read_bytes() == whole
        assert (state / "desired.damaged.json").read_bytes() == damaged
    else:
        # All that was lost is the newline at the end.
        assert place == len(whole) - 1


def test_a_copy_that_is_damaged_too_takes_nothings_place(repository: Open, state: Path) -> None:
    repository().record("m", UNLOADED)
    for name in ("desired.json", "desired.copy.json"):
        (state / name).write_bytes(b"{")
    with pytest.raises(ConfigurationError, match="move it away"):
        repository()
    (state / "desired.json").unlink()
    opened = repository()
    assert opened.wish("m") is None
    assert not opened.restored


def test_wishes_of_another_version_are_not_replaced_by_a_copy(
    repository: Open, state: Path
) -> None:
    repository().record("m", UNLOADED)
    newer = json.dumps({**GOOD, "schema": 2})
    (state / "desired.json").write_text(newer)
    with pytest.raises(ConfigurationError, match="its schema is 2"):
        repository()
    assert (state / "desired.json").read_text() == newer


def test_a_copy_that_cannot_be_written_does_not_fail_a_wish(repository: Open, state: Path) -> None:
    state.mkdir()
    (state / "desired.copy.json").mkdir()
    repository().record("m", UNLOADED)
    assert repository().wish("m") == UNLOADED


def test_the_format_has_not_changed(repository: Open, state: Path) -> None:
    state.mkdir()
    (state / "desired.json").write_text(json.dumps(GOOD))
    opened = repository()
    assert opened.wish("m") == Wish(loaded=True, override=ModelOverride(config="{}"))
    opened.record("n", UNLOADED)
    written = json.loads((state / "desired.json").read_text())
    assert written == {
        "schema": 1,
        "models": {**GOOD["models"], "n": {"loaded": False}},  # type: ignore[dict-item]
    }


def test_a_wish_for_a_folder_with_an_odd_name_can_be_read_back(repository: Open) -> None:
    for name in (" padded", "caf\udce9", "a\nb"):
        repository().record(name, UNLOADED)
        assert repository().wish(name) == UNLOADED
