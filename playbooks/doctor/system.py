"""Checks of what a host is: its system, board, memory and Python."""

from collections.abc import Iterator

from playbooks.debs import NEEDED
from playbooks.doctor.check import MB, Check, Subject, Verdict, error, info, ok, unknown, warning
from playbooks.facts.board import BOARD
from playbooks.facts.cpu import CPU
from playbooks.facts.memory import MEMORY
from playbooks.facts.platform import PLATFORM
from playbooks.facts.python import PYTHON
from playbooks.steps.packages import PACKAGES, missing

_ARCHITECTURES = ("aarch64", "x86_64")
_REINSTALL = "write a 64-bit Raspberry Pi OS Lite to its card"

# What ONNX Runtime's wheels are built against (FACTS 3), and what the farm's code needs.
_OLDEST_GLIBC = (2, 28)
_OLDEST_PYTHON = (3, 11)

# Every library in the aarch64 wheels of the locks is aligned to 64 KiB (their ELF headers).
_LARGEST_PAGE_BYTES = 65536
_USUAL_PAGE_BYTES = 4096

# What Ray and the actor take on a node, and about what a Lite system takes besides.
_OVERHEAD_BYTES = 280 * MB
_SYSTEM_BYTES = 120 * MB
_SMALL_BYTES = 900 * MB


def _word_size(subject: Subject) -> Iterator[Verdict]:
    platform = subject.facts[PLATFORM]
    if platform.bits is None or not platform.machine:
        yield unknown("its word size")
    elif platform.bits != 64:
        yield error(
            f"its programs are {platform.bits}-bit ({platform.architecture or platform.machine}):"
            " there is no Ray and no ONNX Runtime for them, even if the kernel is 64-bit",
            _REINSTALL,
        )
    elif platform.machine not in _ARCHITECTURES:
        yield error(
            f"there are no wheels for {platform.machine}, only for {' and '.join(_ARCHITECTURES)}",
            "take it out of the inventory",
        )
    else:
        yield ok(f"64-bit, {platform.machine}")


def _system(subject: Subject) -> Iterator[Verdict]:
    platform = subject.facts[PLATFORM]
    name = platform.pretty_name or "an unnamed system"
    if platform.init and platform.init != "systemd":
        yield error(
            f"its first process is {platform.init}: the farm's services need systemd", _REINSTALL
        )
    elif not platform.architecture:
        yield warning(
            f"{name} has no dpkg: the farm cannot bring packages that it lacks",
            "install what the finding `packages` names by the system's own means",
        )
    else:
        yield ok(f"{name}, kernel {platform.kernel}")


def _board(subject: Subject) -> Iterator[Verdict]:
    cpu, board = subject.facts[CPU], subject.facts[BOARD]
    cores = f"{cpu.cores or 'unknown'} cores, {cpu.cpu_class or 'unknown CPU'}"
    if not board:
        yield info(f"no Raspberry Pi, or its firmware does not name it ({cores})")
    else:
        yield ok(f"{board} ({cores})")


def _memory(subject: Subject) -> Iterator[Verdict]:
    memory = subject.facts[MEMORY]
    total_bytes = memory.total_bytes
    if total_bytes is None:
        yield unknown("its memory")
    elif total_bytes < _OVERHEAD_BYTES + _SYSTEM_BYTES:
        yield error(
            f"{total_bytes // MB} MB of memory: Ray and the actor take about"
            f" {_OVERHEAD_BYTES // MB} MB and leave nothing for a model",
            "use a board with 1 GB or more",
        )
    elif total_bytes < _SMALL_BYTES:
        left_mb = (total_bytes - _OVERHEAD_BYTES - _SYSTEM_BYTES) // MB
        yield warning(
            f"{total_bytes // MB} MB of memory: about {left_mb} MB are left for models",
            "keep to small models there (`labels` say who loads what), or use a board with 1 GB",
        )
    else:
        yield ok(f"{total_bytes // MB} MB, {(memory.available_bytes or 0) // MB} of them available")


def _memory_bound(subject: Subject) -> Iterator[Verdict]:
    memory = subject.facts[MEMORY]
    file = memory.boot_options or "the file with the kernel's command line"
    if memory.bounded is None:
        yield unknown("whether its kernel bounds memory")
    elif not memory.bounded:
        yield warning(
            "the kernel's memory cgroup is off: systemd's MemoryMax has no effect, and a model"
            " too large takes the whole board down",
            f"append `cgroup_enable=memory cgroup_memory=1` to the one line of {file}, then reboot",
        )
    else:
        yield ok("the kernel bounds the memory of services")


def _glibc(subject: Subject) -> Iterator[Verdict]:
    glibc = subject.facts[PLATFORM].glibc
    if glibc is None:
        yield unknown("its C library")
    elif glibc < _OLDEST_GLIBC:
        yield error(
            f"glibc {_dotted(glibc)}: ONNX Runtime's wheels need {_dotted(_OLDEST_GLIBC)}",
            "upgrade to Debian 12 or its Raspberry Pi OS",
        )
    else:
        yield ok(f"glibc {_dotted(glibc)}")


def _page_size(subject: Subject) -> Iterator[Verdict]:
    size_bytes = subject.facts[PLATFORM].page_size_bytes
    if size_bytes is None:
        yield unknown("its page size")
    elif size_bytes > _LARGEST_PAGE_BYTES:
        yield error(
            f"{size_bytes // 1024} KiB pages: the wheels' libraries do not load",
            "boot a kernel with smaller pages",
        )
    elif size_bytes > _USUAL_PAGE_BYTES:
        yield info(
            f"{size_bytes // 1024} KiB pages, as on a Raspberry Pi 5: the wheels load, and"
            " processes take somewhat more memory",
            "where memory is short, put `kernel=kernel8.img` into /boot/firmware/config.txt and"
            " reboot: 4 KiB pages",
        )
    else:
        yield ok(f"{size_bytes // 1024} KiB")


def _python(subject: Subject) -> Iterator[Verdict]:
    python = subject.facts[PYTHON]
    wanted = f"Python {_dotted(_OLDEST_PYTHON)} or newer"
    if python.version is None:
        yield error(
            f"no python3 runs there: the farm needs {wanted}", "sudo apt-get install python3"
        )
    elif python.version < _OLDEST_PYTHON:
        yield error(
            f"{python.path} is Python {_dotted(python.version)}: the farm needs {wanted}",
            "upgrade to Debian 12 or its Raspberry Pi OS; if another python3 stands before the"
            " system's on the path, remove it",
        )
    else:
        yield ok(f"Python {_dotted(python.version)}")


def _packages(subject: Subject) -> Iterator[Verdict]:
    lacking = missing(subject.facts, firewall=subject.farm.firewall)
    if lacking:
        needed = "; ".join(f"{name}, {NEEDED[name]}" for name in lacking)
        yield info(f"it lacks {needed}: bootstrap brings what is missing")
    else:
        yield ok("it has every package that the farm needs")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


SYSTEM = (
    Check(name="word size", reads=(PLATFORM,), judge=_word_size),
    Check(name="system", reads=(PLATFORM,), judge=_system),
    Check(name="board", reads=(BOARD, CPU), judge=_board),
    Check(name="memory", reads=(MEMORY,), judge=_memory),
    Check(name="memory bounds", reads=(MEMORY,), judge=_memory_bound),
    Check(name="glibc", reads=(PLATFORM,), judge=_glibc),
    Check(name="page size", reads=(PLATFORM,), judge=_page_size),
    Check(name="python", reads=(PYTHON,), judge=_python),
    Check(name="packages", reads=(PACKAGES,), judge=_packages),
)
