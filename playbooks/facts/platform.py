"""What system a host runs: kernel, word size, distribution, C library, page size."""

from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, version, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Texts are "" and numbers None where the host does not tell.

    `bits` is the word size of programs: 32 on a 64-bit kernel with a 32-bit system.
    `architecture` is dpkg's name for it. `init` is the first process, systemd or another.
    """

    machine: str = ""
    kernel: str = ""
    init: str = ""
    bits: int | None = None
    architecture: str = ""
    glibc: tuple[int, ...] | None = None
    page_size_bytes: int | None = None
    pretty_name: str = ""


def _parse(told: Result) -> Platform:
    said = pairs(told.stdout)
    return Platform(
        machine=said.get("machine", ""),
        kernel=said.get("kernel", ""),
        init=said.get("init", ""),
        bits=whole(said.get("bits")),
        architecture=said.get("architecture", ""),
        glibc=version(said.get("libc")),
        page_size_bytes=whole(said.get("page")),
        pretty_name=said.get("PRETTY_NAME", ""),
    )


PLATFORM = Fact(
    name="platform",
    command="""cat /etc/os-release
printf 'machine=%s\\nkernel=%s\\n' "$(uname -m)" "$(uname -r)"
printf 'init=%s\\n' "$(cat /proc/1/comm)"
printf 'bits=%s\\npage=%s\\n' "$(getconf LONG_BIT)" "$(getconf PAGESIZE)"
printf 'libc=%s\\n' "$(getconf GNU_LIBC_VERSION)"
printf 'architecture=%s\\n' "$(dpkg --print-architecture)"
""",
    parse=_parse,
)
