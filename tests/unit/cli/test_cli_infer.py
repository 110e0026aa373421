"""`farm infer`: files of every kind in, outputs and a receipt out."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import fails, npy, ok
from fake_gateway import FakeGateway, running_gateway
from PIL import Image


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        yield made


def test_infer_as_json(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(np.array([[1.5, 2.0]], np.float32)))
    text = ok("infer", "echo", "-i", f"x={path}", "--connect", gateway.address, "-o", "json")
    document = json.loads(text)
    assert document["schema_version"] == 1
    result = document["result"]
    assert (result["model"], result["version"]) == ("echo", "2")
    assert result["outputs"] == {"x_out": [[1.5, 2.0]]}
    assert result["receipt"]["node"] == "pi-1"
    assert result["receipt"]["compute_us"] == 250_000


def test_infer_as_a_table(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([list(range(20))]))
    text = ok("infer", "echo", "--input", f"x={path}", "--connect", gateway.address)
    assert "echo version 2" in text
    (line,) = [line for line in text.splitlines() if "x_out" in line]
    for word in ("FP32", "[1, 20]", "0, 1, 2", "… 20 values"):
        assert word in line
    assert "pi-1" in text


def test_infer_reads_standard_input(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "x=-", "--connect", gateway.address, "-o", "json")
    for stdin in (b"[[3, 4]]", npy([[3, 4]])):
        document = json.loads(ok(*arguments, stdin=stdin))
        assert document["result"]["outputs"] == {"x_out": [[3.0, 4.0]]}


def test_infer_shows_strings_as_text(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "s=-", "--connect", gateway.address)
    document = json.loads(ok(*arguments, "-o", "json", stdin='["a", "é"]'.encode()))
    assert document["result"]["outputs"] == {"s_out": ["a", "é"]}


def test_strings_keep_their_shape_in_json(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "s=-", "--connect", gateway.address, "-o", "json")
    document = json.loads(ok(*arguments, stdin=b'[["a", "b"], ["c", "d"]]'))
    assert document["result"]["outputs"] == {"s_out": [["a", "b"], ["c", "d"]]}


def test_numbers_that_json_lacks_do_not_break_it(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "x=-", "--connect", gateway.address, "-o", "json")
    text = ok(*arguments, stdin=npy(np.array([[np.nan, np.inf]], np.float32)))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(text, parse_constant=refuse)


def test_infer_without_a_file_name_says_how_to_write_it(gateway: FakeGateway) -> None:
    for wrong in ("", "x=", "=file"):
        message = fails(2, "infer", "echo", "-i", wrong, "--connect", gateway.address)
        assert "NAME=FILE" in message


def test_infer_sends_its_options(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "-", "--connect", gateway.address, "--version", "2")
    body = b'{"x": [[1]], "s": ["a"]}'
    ok(*arguments, "--outputs", "s_out, x_out", "--priority", "1", "--abi", ">=2", stdin=body)
    request = gateway.requests[-1]
    assert [tensor.name for tensor in request.inputs] == ["x", "s"]
    assert [output.name for output in request.outputs] == ["s_out", "x_out"]
    assert request.model_version == "2"
    assert request.parameters["priority"].int64_param == 1
    assert request.parameters["farm_model_abi"].string_param == ">=2"


@pytest.mark.parametrize(
    ("outputs", "asked"), [((), ["x_out", "s_out"]), (("--outputs", "s_out"), ["s_out"])]
)
def test_infer_asks_for_classes(
    gateway: FakeGateway, outputs: tuple[str, ...], asked: list[str]
) -> None:
    arguments = ("infer", "echo", "-i", "x=-", "--connect", gateway.address, "--classes", "3")
    ok(*arguments, *outputs, stdin=b"[[1]]")
    request = gateway.requests[-1]
    assert [output.name for output in request.outputs] == asked
    assert {o.parameters["classification"].int64_param for o in request.outputs} == {3}


def test_infer_prepares_pictures_as_the_model_declares(
    gateway: FakeGateway, tmp_path: Path
) -> None:
    for name, value in (("a.png", 10), ("b.jpg", 20)):
        Image.new("L", (4, 4), value).save(tmp_path / name)
    text = ok(
        "infer", "picture", "-i", f"{tmp_path}/*.*", "--connect", gateway.address, "-o", "json"
    )
    assert json.loads(text)["result"]["outputs"] == {
        "image_out": [[[[10.0] * 2] * 2], [[[20.0] * 2] * 2]]
    }


def test_infer_of_a_picture_for_a_model_that_declares_none(
    gateway: FakeGateway, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path)
    message = fails(1, "infer", "echo", "-i", f"s={path}", "--connect", gateway.address)
    assert "does not declare how a picture becomes its input 's'" in message


def test_infer_names_a_file_that_cannot_be_read(gateway: FakeGateway, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.npy", "No such file"), (tmp_path, "Is a directory")):
        message = fails(1, "infer", "echo", "-i", f"x={path}", "--connect", gateway.address)
        assert f"{path} cannot be read: {why}" in message


def test_an_equals_sign_in_a_file_belongs_to_it(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "a=b.json"
    path.write_text("[[1, 2]]")
    text = ok("infer", "echo", "-i", f"x={path}", "--connect", gateway.address, "-o", "json")
    assert json.loads(text)["result"]["outputs"] == {"x_out": [[1.0, 2.0]]}


def test_infer_says_which_pattern_matches_nothing(gateway: FakeGateway, tmp_path: Path) -> None:
    given = f"x={tmp_path}/*.npy"
    message = fails(2, "infer", "echo", "-i", given, "--connect", gateway.address)
    assert f"--input {given}: no file matches" in message


def test_standard_input_is_read_once(gateway: FakeGateway) -> None:
    message = fails(2, "infer", "echo", "-i", "x=-", "-i", "s=-", "--connect", gateway.address)
    assert "standard input can be read only once" in message


def test_infer_of_an_unknown_model(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    message = fails(1, "infer", "other", "-i", f"x={path}", "--connect", gateway.address)
    assert "there is no model 'other'" in message
