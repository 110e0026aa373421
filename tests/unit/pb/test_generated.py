"""The committed generated code is what `protos/generate.py` makes of the .proto files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FIX = "to fix it, run: python protos/generate.py\n"

# Stands in for grpcio-tools of a later protobuf.
LATER_PROTOC = """
import sys
from pathlib import Path

(out,) = (arg.partition("=")[2] for arg in sys.argv if arg.startswith("--python_out="))
folder = Path(out, "farm", "pb")
folder.mkdir(parents=True)
(folder / "farm_admin_pb2.py").write_text("# Protobuf Python Version: 7.35.0\\n")
"""


def generate(
    project: Path,
    *arguments: str,
    python_options: Sequence[str] = (),
    python_path: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if python_path:
        environment["PYTHONPATH"] = str(python_path)
    return subprocess.run(
        [sys.executable, *python_options, project / "protos" / "generate.py", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the .proto files and the generated code, to change."""
    for folder in ("protos", "farm/pb"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def test_committed_code_is_up_to_date() -> None:
    checked = generate(ROOT, "--check")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_check_lists_each_drifted_file_and_the_fix(project: Path) -> None:
    generated = project / "farm" / "pb"
    (generated / "farm_admin_pb2.pyi").unlink()
    (generated / "gone_pb2.py").write_text("")
    with (generated / "model_config_pb2.py").open("a") as module:
        module.write("# edited\n")
    before = contents(generated)

    checked = generate(project, "--check")

    assert checked.returncode == 1
    assert checked.stderr == (
        "farm/pb/farm_admin_pb2.pyi: missing\n"
        "farm/pb/gone_pb2.py: no .proto file generates it\n"
        "farm/pb/model_config_pb2.py: differs from what its .proto file generates\n" + FIX
    )
    assert contents(generated) == before


def test_the_fix_fixes(project: Path) -> None:
    generated = project / "farm" / "pb"
    before = contents(generated)
    (generated / "farm_admin_pb2.pyi").unlink()
    (generated / "gone_pb2.py").write_text("")
    (generated / "model_config_pb2.py").write_text("edited\n")

    assert generate(project).returncode == 0

    assert contents(generated) == before
    assert generate(project, "--check").returncode == 0


def test_changed_proto_is_drift(project: Path) -> None:
    proto = project / "protos" / "farm_admin.proto"
    proto.write_text(proto.read_text().replace("string farm_name = 3;", "string farm_name = 4;"))

    checked = generate(project, "--check")

    assert checked.returncode == 1
    assert "farm/pb/farm_admin_pb2.py: differs" in checked.stderr


def test_error_in_a_proto_names_its_line(project: Path) -> None:
    proto = project / "protos" / "farm_admin.proto"
    proto.write_text('syntax = "proto3";\nmessage {}\n')

    failed = generate(project)

    assert failed.returncode == 1
    assert "protoc failed" in failed.stderr
    assert "farm_admin.proto:2" in failed.stderr


def test_refuses_a_protoc_whose_code_tritonclient_cannot_share(
    project: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "later" / "grpc_tools"
    tools.mkdir(parents=True)
    (tools / "__init__.py").write_text("")
    (tools / "protoc.py").write_text(LATER_PROTOC)
    before = contents(project / "farm" / "pb")

    failed = generate(project, python_path=tools.parent)

    assert failed.returncode == 1
    assert "generates code for protobuf 7.35.0" in failed.stderr
    assert "grpcio-tools 1.80" in failed.stderr
    assert contents(project / "farm" / "pb") == before


def test_says_when_protoc_is_not_installed(project: Path) -> None:
    # Without `site` there are no installed packages.
    failed = generate(project, "--check", python_options=["-S"], python_path=project)

    assert failed.returncode == 1
    assert failed.stderr.startswith("error: grpcio-tools is not installed for this Python")
