"""The few packages that a bare host lacks, resolved and fetched on the operator's machine."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    UnreachableError,
    UnsupportedError,
)
from playbooks import layout
from playbooks.apt_state import AptState
from playbooks.cache import CachedFile, sha256_of, staging, writing
from playbooks.commands import script, sh

# What a host needs of its distribution, and what for. Raspberry Pi OS Lite lacks the first.
NEEDED: Final[Mapping[str, str]] = {
    "nftables": "the firewall in front of Ray's ports",
    "iproute2": "which ports are taken and how the host is linked",
    "python3": "what the farm runs on, with `venv` in its standard library",
}
_ONLY_WHAT_IS_NEEDED: Final = ("--no-install-recommends", "--no-remove")
_DIGESTS: Final = "SHA256SUMS"
_OFFLINE: Final = re.compile(
    r"Could not resolve|Could not connect|Cannot initiate|Temporary failure|Connection (?:timed|"
    r"failed|refused)|Network is unreachable|Failed to fetch"
)
_UNSIGNED: Final = re.compile(r"NO_PUBKEY|BADSIG|EXPKEYSIG|is not signed|Hash Sum mismatch")


def debs(
    cache: Path,
    packages: Sequence[str],
    state: AptState,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[CachedFile, ...]:
    """Return the `.deb`s that give a host these packages and what they depend on.

    The operator's apt works on a root of its own with the host's sources, keys and package
    database, so that it chooses what the host's own would, and checks signatures as that
    would. Hosts in the same state share what was fetched; fetched once, it takes no network.

    Raises:
        ConfigurationError: this machine has no apt, or no space.
        UnreachableError: the host's package sources do not answer.
        IntegrityError: they are not signed by a key that the host trusts.
        UnsupportedError: they do not have the packages, or not without removing others.
    """
    fetched = cache / "debs"
    home = fetched / f"{state.digest[:16]}-{'-'.join(sorted(packages))}"
    if not _is_whole(home):
        if shutil.which("apt-get") is None:
            raise ConfigurationError(
                f"this machine has no apt-get to fetch {', '.join(packages)} for the host with; "
                f"{by_hand(packages)}"
            )

        def wait() -> None:
            tell("waiting for another farm command that is fetching packages")

        with writing(fetched), staging(fetched, wait) as folder:
            if not _is_whole(home):
                tell(f"fetching {', '.join(packages)} for hosts with {state.architecture}")
                _fetch(packages, state, folder / home.name)
                shutil.rmtree(home, ignore_errors=True)
                (folder / home.name).replace(home)
    return tuple(CachedFile.of(path, digest) for path, digest in _listed(home).items())


def by_hand(packages: Sequence[str]) -> str:
    """Say what to run on a host that packages cannot be brought to."""
    return f"run there: sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"


def install_debs_text(files: Sequence[CachedFile]) -> str:
    """Return the script, for root, that installs pushed `.deb`s without any network."""
    paths = [f"{layout.DEBS}/{file.name}" for file in files]
    install = sh(
        *("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120"),
        *("-o", "DPkg::Options::=--force-confdef", "-o", "DPkg::Options::=--force-confold"),
        *("install", *_ONLY_WHAT_IS_NEEDED, *paths),
    )
    return script(
        "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l",
        # Where a power cut came in the middle, dpkg wants to end that first.
        f"{install} || {{ dpkg --configure -a && {install}; }}",
    )


def _fetch(packages: Sequence[str], state: AptState, home: Path) -> None:
    # Not in the cache: its path may have spaces, which a list of sources cannot hold.
    with tempfile.TemporaryDirectory(prefix="farm-apt-") as folder:
        root = Path(folder)
        # The user without rights that apt, run as root, fetches with has to get there.
        root.chmod(0o755)
        archives = root / "var/cache/apt/archives"
        for needed in ("etc/apt/apt.conf.d", "var/lib/apt/lists/partial", archives / "partial"):
            (root / needed).mkdir(parents=True)
        state.lay_out(root)
        settings = root / "apt.conf"
        settings.write_text(_settings(root, state.architecture))
        said = ""
        for arguments in (
            ("update",),
            ("install", "-y", "--download-only", *_ONLY_WHAT_IS_NEEDED, *packages),
        ):
            ended = subprocess.run(
                ("apt-get", "-q", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                env={**os.environ, "APT_CONFIG": str(settings), "LC_ALL": "C"},
            )
            said += ended.stdout
            if ended.returncode:
                raise _failure(said, packages)
        found = sorted(archives.glob("*.deb"))
        home.mkdir()
        for deb in found:
            shutil.move(deb, home / deb.name)
        lines = [f"{sha256_of(home / deb.name)}  {deb.name}\n" for deb in found]
        (home / _DIGESTS).write_text("".join(lines))


def _settings(root: Path, architecture: str) -> str:
    """Return the configuration of an apt that lives in `root` and reads nothing elsewhere.

    Of the operator's own, how it reaches the network stays.
    """
    own = subprocess.run(
        ("apt-config", "dump"), capture_output=True, text=True, check=False
    ).stdout.splitlines()
    return "\n".join(
        (
            *(line for line in own if re.match(r"Acquire::https?[:\s]", line)),
            f'Dir "{root}/";',
            f'APT::Architecture "{architecture}";',
            f'APT::Architectures {{ "{architecture}"; }};',
            'Acquire::Languages "none";',
            'Acquire::Retries "2";',
            "",
        )
    )


def _failure(said: str, packages: Sequence[str]) -> FarmError:
    wanted = ", ".join(packages)
    complaints = [line for line in said.splitlines() if line.startswith(("E:", "W:"))]
    unreached = [line for line in complaints if _OFFLINE.search(line)]
    last = (unreached or complaints or [said.strip()[-300:]])[-1]
    if _UNSIGNED.search(said):
        return IntegrityError(
            f"the host's package sources are not signed by a key that it trusts ({last}), so "
            f"{wanted} was not fetched: repair them there"
        )
    if "No space left on device" in said:
        return ConfigurationError(
            f"no space left on this machine while {wanted} was fetched: free some, or set TMPDIR "
            "to a folder on another disk"
        )
    if unreached:
        return UnreachableError(
            f"{wanted} cannot be fetched for the host, as its package sources do not answer this "
            f"machine ({last}): connect it to the internet once; or {by_hand(packages)}"
        )
    return UnsupportedError(
        f"the host's package sources cannot give it {wanted} ({last}); {by_hand(packages)}"
    )


def _listed(home: Path) -> dict[Path, str]:
    """Return the files of a fetch that came to its end, with their digests."""
    lines = (home / _DIGESTS).read_text().splitlines()
    return {home / name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _is_whole(home: Path) -> bool:
    return (home / _DIGESTS).is_file() and all(
        path.is_file() and sha256_of(path) == digest for path, digest in _listed(home).items()
    )
