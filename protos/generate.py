"""Writes `farm/pb/*_pb2.py` and `*_pb2.pyi` from the .proto files beside this script.

    python protos/generate.py           write them, and remove those whose .proto is gone
    python protos/generate.py --check   write nothing; exit 1 if a file is not up to date

The modules register in `farm.pb.pool.POOL`, where protoc would write the default pool;
that module says why. No gRPC stubs are generated: `farm.pb.services` takes their place.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PROTOS: Final = Path(__file__).resolve().parent
ROOT: Final = PROTOS.parent
# Where the modules live, and the path under which the .proto files import each other:
# protoc derives a module's name from that path.
PACKAGE: Final = "farm/pb"
COMMAND: Final = "python protos/generate.py"

# Generated code runs on protobuf of its own major version and of the next one.
# tritonclient wants protobuf < 7, so code from a protoc of 7 would not run beside it.
GENCODE_MAJOR: Final = 6
GENCODE_VERSION: Final = re.compile(r"^# Protobuf Python Version: (\d+)\.(\d+\.\S+)$", re.MULTILINE)

# What protoc writes, and what stands there instead. Each occurs once in a module.
PRIVATE_POOL: Final = (
    (
        "from google.protobuf import descriptor_pool as _descriptor_pool\n",
        "from farm.pb.pool import POOL as _POOL\n",
    ),
    (
        "DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(",
        "DESCRIPTOR = _POOL.AddSerializedFile(",
    ),
)

# protoc's stubs have bare `Mapping`s, which strict mypy refuses. Their types still count
# where they are used.
STUB_HEADER: Final = "# mypy: ignore-errors\n"


class GenerationError(Exception):
    """The generated code cannot be made; the message says what to do about it."""


def run_protoc(out: Path) -> None:
    """Runs protoc on every .proto file and leaves its output under `out`."""
    if importlib.util.find_spec("grpc_tools") is None:
        raise GenerationError(
            "grpcio-tools is not installed for this Python; "
            "install the project's dev dependency group"
        )
    sources = sorted(path.name for path in PROTOS.glob("*.proto"))
    protoc = subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{PACKAGE}={PROTOS}",
            f"--python_out={out}",
            f"--pyi_out={out}",
            *(f"{PACKAGE}/{name}" for name in sources),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if protoc.returncode != 0:
        raise GenerationError(f"protoc failed:\n{protoc.stderr.rstrip()}")


def require_major(module: str, source: str) -> None:
    """Refuses code from a protoc of another major version than `GENCODE_MAJOR`."""
    found = GENCODE_VERSION.search(source)
    version = ".".join(found.groups()) if found else "unknown"
    if not found or int(found[1]) != GENCODE_MAJOR:
        raise GenerationError(
            f"{module}: the installed grpcio-tools generates code for protobuf {version}, "
            f"which does not run beside tritonclient; install one that generates for "
            f"protobuf {GENCODE_MAJOR} (grpcio-tools 1.80, as the dev dependency group says)"
        )


def with_private_pool(module: str, source: str) -> str:
    """The module's source with `farm.pb.pool.POOL` in place of the default pool."""
    for written, wanted in PRIVATE_POOL:
        if source.count(written) != 1:
            raise GenerationError(
                f"{module}: protoc no longer writes {written.rstrip()!r} exactly once; "
                f"adapt PRIVATE_POOL in protos/generate.py"
            )
        source = source.replace(written, wanted)
    return source


def generate() -> dict[str, str]:
    """The text of each generated file by its path within the project."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_protoc(out)
        files = {
            path.relative_to(out).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(out.rglob("*_pb2.py*"))
        }
    for name, source in files.items():
        if name.endswith(".py"):
            require_major(name, source)
            files[name] = with_private_pool(name, source)
        else:
            files[name] = STUB_HEADER + source
    return files


def committed() -> dict[str, str]:
    """The generated files as they are in the project now."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for pattern in ("*_pb2.py", "*_pb2.pyi")
        for path in sorted((ROOT / PACKAGE).glob(pattern))
    }


def drift(wanted: dict[str, str], present: dict[str, str]) -> list[str]:
    """One line for each file that is missing, out of date or without a .proto."""
    lines = []
    for name in sorted(wanted.keys() | present.keys()):
        if name not in present:
            lines.append(f"{name}: missing")
        elif name not in wanted:
            lines.append(f"{name}: no .proto file generates it")
        elif wanted[name] != present[name]:
            lines.append(f"{name}: differs from what its .proto file generates")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated code of farm/pb.")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 on a difference")
    arguments = parser.parse_args()

    try:
        wanted = generate()
    except GenerationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1

    present = committed()
    if arguments.check:
        lines = drift(wanted, present)
        if lines:
            sys.stderr.write("\n".join([*lines, f"to fix it, run: {COMMAND}", ""]))
        return 1 if lines else 0

    for name in sorted(present.keys() - wanted.keys()):
        (ROOT / name).unlink()
    for name, source in wanted.items():
        (ROOT / name).write_text(source, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
