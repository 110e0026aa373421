"""A host's memory, and whether its kernel can bound that of a service."""

from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """None where the host does not tell.

    Without `bounded`, the kernel's memory cgroup, systemd's MemoryMax has no effect.
    `boot_options` is the file that sets the kernel's command line on a Raspberry Pi, else "".
    """

    total_bytes: int | None = None
    available_bytes: int | None = None
    bounded: bool | None = None
    boot_options: str = ""


def _parse(told: Result) -> Memory:
    said = pairs(told.stdout)
    return Memory(
        total_bytes=_kib(said.get("MemTotal")),
        available_bytes=_kib(said.get("MemAvailable")),
        bounded=_bounded(said),
        boot_options=said.get("boot_options", ""),
    )


def _kib(text: str | None) -> int | None:
    count = whole((text or "").removesuffix("kB"))
    return None if count is None else count * 1024


def _bounded(said: dict[str, str]) -> bool | None:
    # The unified hierarchy lists its controllers; older kernels and mixed ones have a row
    # "memory <hierarchy> <cgroups> <enabled>".
    if "memory" in said.get("unified", "").split():
        return True
    row = said.get("legacy", "").split()
    if len(row) == 4:
        return row[3] == "1"
    return False if "unified" in said else None


MEMORY = Fact(
    name="memory",
    command="""sed -n 's/^\\(MemTotal\\|MemAvailable\\): */\\1=/p' /proc/meminfo
sed -n 's/^memory[[:space:]]/legacy=memory /p' /proc/cgroups
sed 's/^/unified=/' /sys/fs/cgroup/cgroup.controllers
for file in /boot/firmware/cmdline.txt /boot/cmdline.txt; do
    if [ -e "$file" ]; then printf 'boot_options=%s\\n' "$file"; break; fi
done
exit 0
""",
    parse=_parse,
)
