"""The disks below the folders that the farm writes to: room, kind and speed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact

# Where releases, models and files on their way are kept.
_FOLDERS = ("/opt", "/var/lib", "/var/tmp")  # noqa: S108 - looked at, not written to

# Long enough to leave the card's own cache, short enough for a slow one.
_TRIAL_MIB = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The filesystem that a folder is on, and its room in bytes."""

    free_bytes: int
    size_bytes: int
    mount: str


def _parse_space(told: Result) -> Mapping[str, Space]:
    found = (
        re.fullmatch(r"(/\S*)\s+([0-9]{1,15})\s+([0-9]{1,15})\s+(/.*)", line.strip())
        for line in told.stdout.splitlines()
    )
    return {
        row[1]: Space(
            size_bytes=int(row[2]) * 1024,
            free_bytes=int(row[3]) * 1024,
            mount=row[4],
        )
        for row in found
        if row is not None
    }


def _parse_speed(told: Result) -> float | None:
    found = re.search(
        r"^([0-9]{1,12}) bytes .*copied, ([0-9]{1,6}(?:\.[0-9]{1,9})?(?:e-[0-9]{1,2})?) s,",
        told.stderr,
        re.MULTILINE,
    )
    if told.exit_code or found is None or not float(found[2]):
        return None
    return int(found[1]) / float(found[2])


# By folder; one that is missing there is missing here.
SPACE = Fact(
    name="space",
    command=f"df -k --output=file,size,avail,target {sh(*_FOLDERS)}",
    parse=_parse_space,
)

# Bytes a second, written and flushed, or None where it could not be tried: it needs room, and
# it is the one fact that writes, a file that is gone when it ends. Not for every day: it wears
# an SD card.
WRITE_SPEED = Fact(
    name="write speed",
    command=f"""[ "$(df -k --output=avail /var/tmp | tail -n 1)" -gt 65536 ] || exit 1
file=$(mktemp /var/tmp/farm-write-speed.XXXXXX) || exit 1
trap 'rm -f "$file"' EXIT
trap 'exit 1' HUP INT TERM
dd if=/dev/zero of="$file" bs=1M count={_TRIAL_MIB} conv=fsync
""",
    parse=_parse_speed,
)
