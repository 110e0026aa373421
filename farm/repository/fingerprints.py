"""Whether a model's folder changed, found out without reading its files."""

import os
from hashlib import blake2b
from pathlib import Path


def fingerprint(root: Path, name: str) -> bytes:
    """Return what differs once anything visible in the folder `name` of `root` changes.

    Names, kinds, sizes, inodes and times count. A folder that cannot be read has a
    fingerprint too.
    """
    lines: list[str] = []
    pending = [""]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(root / name / inner) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{inner}/{entry.name}" if inner else entry.name
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path)
                        # A folder's own times change with hidden files too.
                        lines.append(f"{path}\0{status.st_ino}")
                    else:
                        lines.append(
                            f"{path}\0{status.st_mode}\0{status.st_nlink}\0{status.st_ino}"
                            f"\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
                        )
        except OSError as error:
            lines.append(f"{inner}\0{error.errno}")
    return blake2b("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).digest()
