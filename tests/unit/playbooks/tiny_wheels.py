"""Small wheels to be found by a real pip in a folder, in place of a package index."""

import hashlib
import zipfile
from pathlib import Path

from playbooks.requirements import Pin


def tiny_wheel(folder: Path, name: str, *, content: str = "") -> Path:
    """Write a wheel with a name such as `ray-2.60.0-cp311-cp311-manylinux_2_17_x86_64.whl`."""
    package, version = name.split("-")[:2]
    path = folder / name
    info = f"{package}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{package}.py", content)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def pin_of(*wheels: Path) -> Pin:
    """Return the pin that allows these wheels of one version."""
    package, version = wheels[0].name.split("-")[:2]
    digests = (hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)
    return Pin(name=package, version=version, sha256=frozenset(digests))
