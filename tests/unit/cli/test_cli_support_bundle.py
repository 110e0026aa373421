"""`farm support-bundle`: what is in it, what is not, and that no secret is."""

import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from commands import fails, farm
from fake_gateway import FakeGateway, running_gateway
from free_ports import free_address
from hypothesis import given, settings
from hypothesis import strategies as st

from farm import __version__
from farm.cli import bundle_machine
from farm.cli.bundle_parts import Gathering
from farm.contexts import Context, FarmHome

SHELF = "farm: {name: shelf}\nhosts: {pi-1: {address: 198.18.0.1, role: both}}\n"


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        yield made


def bundle(
    *arguments: str, env: Mapping[str, str] | None = None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Make a bundle; return its files by name, without their folder, and its manifest."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.tar.gz"
        result = farm("support-bundle", "--to", str(path), *arguments, env=dict(env or {}))
        assert result.exit_code == 0, result.output
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert f"look through {path}" in result.stderr
        files = {}
        with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
            for member in archive:
                assert (member.mode, member.uid, member.uname) == (0o600, 0, "")
                content = archive.extractfile(member)
                assert content is not None
                files[member.name.partition("/")[2]] = content.read()
    manifest = json.loads(files["manifest.json"])
    assert manifest["schema_version"] == 1
    assert {each["name"] for each in manifest["files"]} == files.keys() - {"manifest.json"}
    return files, manifest


def left_out(manifest: dict[str, Any]) -> dict[str, str]:
    return {each["what"]: each["why"] for each in manifest["left_out"]}


def test_it_says_what_a_maintainer_asks(gateway: FakeGateway, tmp_path: Path) -> None:
    shelf, config, log = (tmp_path / name for name in ("shelf.yaml", "farm.yaml", "farm.log"))
    shelf.write_text(SHELF)
    config.write_text("nodes: 2\n")
    log.write_text('{"event": "batch failed", "node": "pi-1"}\n')
    home = FarmHome.of(os.environ)
    home.write(Context(farm="shelf", address=gateway.address))
    home.use("shelf")
    files, manifest = bundle("-i", str(shelf), "--config", str(config), "--log", str(log))
    told = {name: json.loads(text) for name, text in files.items() if name.endswith(".json")}
    assert told["versions.json"]["farm"] == __version__
    assert told["versions.json"]["packages"]["grpcio"]
    assert told["machine.json"]["cores"] >= 1
    assert told["inventory.json"]["content"]["hosts"]["pi-1"]["address"] == "198.18.0.1"
    assert told["inventory.json"]["problem"] is None
    assert told["config.json"]["content"] == {"nodes": "2"}
    assert told["contexts.json"]["current"] == "shelf"
    assert told["gateway/version.json"]["farm_version"] == "9.9"
    assert [node["node"] for node in told["gateway/snapshot.json"]["nodes"]] == ["pi-1", "pi-2"]
    assert told["gateway/models.json"][0]["name"] == "other"
    assert told["gateway/descriptions.json"] == {"other": "there is no model 'other' on this farm"}
    assert b"batch failed" in files["logs/1.txt"]
    assert "farm doctor" in left_out(manifest)["doctor"]
    events = told["gateway/events.json"]
    assert (events["missed"], [each["subject"] for each in events["events"]]) == (6, ["pi-2"])
    log = files["gateway/log.txt"].decode()
    assert log == "1970-01-01T00:00:00.000000Z warning node_down token=***\n"
    # The fake gateway has no ledger: why is in the bundle, and the rest too.
    assert "gateway/ledger.error.txt" in files


def test_without_a_gateway_the_rest_is_there(tmp_path: Path) -> None:
    address = free_address()
    files, manifest = bundle("--connect", address)
    assert address.encode() in files["gateway/version.error.txt"]
    reasons = left_out(manifest)
    assert address in reasons["gateway/version.json"]
    assert "as above" in reasons["gateway/snapshot.json"]
    assert "--config" in reasons["config"]
    assert "machine.json" in files
    _, manifest = bundle("--context", "attic")
    assert "no context 'attic'" in left_out(manifest)["gateway"]


def test_files_that_are_wrong_are_told_with_what_is_wrong(tmp_path: Path) -> None:
    shelf, config = tmp_path / "shelf.yaml", tmp_path / "farm.yaml"
    shelf.write_text(SHELF.replace("role", "rool"))
    config.write_text("nodes: [\n")
    files, manifest = bundle(
        "-i",
        str(shelf),
        "--config",
        str(config),
        "--log",
        str(tmp_path),
        "--connect",
        "127.0.0.1:9",
    )
    assert "did you mean 'role'" in json.loads(files["inventory.json"])["problem"]
    assert "is not YAML" in left_out(manifest)["config.json"]
    assert b"is not YAML" in files["config.error.txt"]
    assert "is no file" in left_out(manifest)["logs/1.txt"]


def test_addresses_go_on_demand(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf.yaml"
    shelf.write_text(SHELF)
    arguments = ("-i", str(shelf), "--connect", "127.0.0.1:9", "--anonymize")
    files, manifest = bundle(*arguments)
    assert manifest["anonymized"]
    assert all(b"198.18" not in content for content in files.values())
    assert b"<address-1>" in files["inventory.json"]


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(b"")
    assert "exists already" in fails(2, "support-bundle", "--to", str(path))
    missing = tmp_path / "nowhere" / "x.tar.gz"
    assert f"no folder {missing.parent}" in fails(2, "support-bundle", "--to", str(missing))
    assert not missing.parent.exists()


def test_json_says_where_it_is_and_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    result = farm("support-bundle", "--to", str(path), "--connect", "127.0.0.1:9", "-o", "json")
    document = json.loads(result.stdout)
    assert (document["schema_version"], document["bundle"]["file"]) == (1, str(path))
    assert "machine.json" in [each["name"] for each in document["bundle"]["files"]]


def test_what_fails_unforeseen_does_not_take_the_rest_with_it() -> None:
    gathering = Gathering()
    assert not gathering.add("a/b.json", lambda: 1 / 0)
    assert gathering.add("c.json", lambda: 1)
    assert [part.name for part in gathering.parts] == ["a/b.error.txt", "c.json"]
    assert "Traceback" in gathering.parts[0].content
    assert gathering.left_out[0].why == "ZeroDivisionError: division by zero"


def test_of_a_long_log_the_end_is_taken_from_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_machine, "MOST_CHARACTERS", 20)
    log = tmp_path / "farm.log"
    log.write_text("password: abcdefghijkl\nthe last line\n")
    gathering = Gathering()
    bundle_machine.add_logs(gathering, [log])
    assert gathering.parts[0].content.endswith("bytes\n\nthe last line\n")


# -- no secret that was planted anywhere is in it ----------------------------------------

# Long enough to be nothing else by chance.
SECRET = st.text("abcdefXYZ0123456789!#%&*+-_=\"'\\:/@ é", min_size=12, max_size=90).filter(
    lambda text: text == text.strip() and len(set(text)) > 6
)


@settings(deadline=None, max_examples=12)
@given(
    secrets=st.lists(SECRET, min_size=4, max_size=4, unique=True),
    valid=st.booleans(),
    anonymize=st.booleans(),
)
def test_no_secret_is_in_a_bundle(secrets: list[str], valid: bool, anonymize: bool) -> None:
    of_host, of_config, of_environment, of_ray = secrets
    shelf: dict[str, Any] = yaml.safe_load(SHELF)
    shelf["hosts"]["pi-1"]["labels"] = {"note": of_environment[:20]}
    if not valid:
        shelf["hosts"]["pi-1"]["become_pass"] = of_host
        shelf["all"] = {"vars": {"ansible_ssh_pass": of_host, "x": f"a {of_config} b"}}
    config = {"nodes": 2, "tls": {"key_password": of_config}, of_config: [of_host]}
    with TemporaryDirectory() as name:
        folder = Path(name)
        home = FarmHome(folder / "home")
        home.write(Context(farm="shelf", address="127.0.0.1:9"))
        home.folder("shelf").ray_token.write_text(f"{of_ray}\n")
        (folder / "shelf.yaml").write_text(yaml.safe_dump(shelf, allow_unicode=True))
        (folder / "farm.yaml").write_text(yaml.safe_dump(config))
        lines = [
            f"ray started with {of_ray}; pw-of-ann and pw-of-db were refused",
            json.dumps({"event": "login", "password": of_environment}),
            f"cannot use {of_config} of ann@example.org in /home/ann/x, for {of_host!r}"
            if not valid
            else f"cannot use {of_config}",
        ]
        (folder / "farm.log").write_text("\n".join(lines))
        files, _ = bundle(
            *("-i", str(folder / "shelf.yaml"), "--config", str(folder / "farm.yaml")),
            *("--log", str(folder / "farm.log"), *(("--anonymize",) if anonymize else ())),
            env={"FARM_HOME": str(home.path), "MY_API_TOKEN": of_environment,
                 "DATABASE": "postgres://farm:pw-of-db@198.18.0.7/x",
                 "http_proxy": "http://ann:pw-of-ann@proxy.example.org:3128"},
        )  # fmt: skip
    planted = {of_config, of_environment, of_ray, *([] if valid else [of_host])}
    planted |= {"pw-of-ann", "pw-of-db", "ann@example.org", "/home/ann"}
    for file, content in files.items():
        text = content.decode()
        for secret in planted:
            assert secret not in text, file
            assert json.dumps(secret, ensure_ascii=False)[1:-1] not in text, file
