"""A release on a host: its wheels, its virtual environment, and whether it runs there at all."""

from collections.abc import Iterator, Mapping, Sequence

from playbooks import layout
from playbooks.cache import CachedFile
from playbooks.commands import Command, Put, Run, sh
from playbooks.facts.base import Facts
from playbooks.facts.files import FileState, tree
from playbooks.release import Release, alone_text, install_text
from playbooks.steps.base import Step
from playbooks.transport import HostError

# The folder of each release, and the stamps in it.
RELEASES = tree(layout.RELEASES, depth=2)

_WHEELS = tree(layout.WHEELS, depth=1)

# On a Pi 3 with a slow card.
_INSTALL_S = 1800.0
_TRIAL_S = 180


def chosen(host: str, candidates: Sequence[Release], lies: Mapping[str, FileState]) -> Release:
    """Return the release that a host runs or is to try next; `lies` is what `RELEASES` told.

    Raises:
        HostError: it has tried all of them.
    """
    for release in candidates:
        if f"{release.id}/.complete" in lies:
            return release
    for release in candidates:
        if f"{release.id}/.refused" not in lies:
            return release
    tried = ", ".join(release.onnxruntime for release in candidates)
    raise HostError(
        f"{host}: no version of onnxruntime runs on its CPU (tried {tried})",
        fix=f"see what they say: `cat {layout.RELEASES}/*/.refused` there; once the cause is"
        f" mended, remove these files and run this again",
    )


def wheels(needed: Sequence[CachedFile], release: Release) -> Step:
    """Return the step that brings what a release is installed from."""

    def plan(facts: Facts) -> Iterator[Command]:
        if f"{release.id}/.complete" in facts[RELEASES]:
            return
        there = facts[_WHEELS]
        for wheel in needed:
            state = there.get(wheel.name)
            # Moved there in one piece; pip compares its digest once more.
            if state is None or state.size_bytes != wheel.size:
                yield Put(content=wheel.path, to=f"{layout.WHEELS}/{wheel.name}")
        wanted = release.requirements.encode()
        listed = there.get(f"{release.id}.txt")
        if listed is None or listed.size_bytes != len(wanted):
            yield Put(content=wanted, to=release.requirements_path)

    return Step(name="wheels", reads=[RELEASES, _WHEELS], plan=plan)


def environment(release: Release, *, python: str) -> Step:
    """Return the step that installs a release and tries its ONNX Runtime in a child process.

    A wheel for another CPU kills its process. The step succeeds all the same and leaves
    `.refused`, so that the next candidate is tried; `.complete` is written last.
    """
    folder = layout.release(release.id)

    def plan(facts: Facts) -> Iterator[Command]:
        lies = facts[RELEASES]
        if {f"{release.id}/.complete", f"{release.id}/.refused"} & lies.keys():
            return
        yield Run(
            text=install_text(release, python=python),
            shown=f"install release {release.id} with onnxruntime {release.onnxruntime}",
            sudo=True,
            timeout_s=_INSTALL_S,
        )
        yield Run(
            text=_trial_text(folder),
            shown=f"try onnxruntime {release.onnxruntime}",
            sudo=True,
            timeout_s=_TRIAL_S + 30,
        )

    return Step(name="software", reads=[RELEASES], plan=plan)


def pruned(keep: frozenset[str]) -> Step:
    """Return the step that removes releases that nothing runs and no upgrade goes back to."""

    def plan(facts: Facts) -> Iterator[Command]:
        there = {name for name in facts[RELEASES] if "/" not in name}
        stale = sorted(layout.release(name) for name in there - keep)
        if stale:
            yield Run(text=sh("rm", "-rf", "--one-file-system", "--", *stale), sudo=True)

    return Step(name="old releases", reads=[RELEASES], plan=plan)


def _trial_text(folder: str) -> str:
    python = f"{folder}/bin/python"
    trial = sh("timeout", "-k", "5", str(_TRIAL_S), python, "-I", "-m", "farm.node.trial")
    # As the user that will run it; what kills the process is its exit code's to say.
    return (
        f"{alone_text()}\n"
        f"cd /\n"
        f"{sh('runuser', '-u', layout.USER)} -- {trial} > {folder}/.trial 2>&1\n"
        f"ended=$?\n"
        f"if [ $ended -eq 0 ]; then mv {folder}/.trial {folder}/.complete\n"
        f"  rm -f {layout.WHEELS}/*\n"
        f'else echo "exit code $ended" >> {folder}/.trial; mv {folder}/.trial {folder}/.refused\n'
        f"fi\n"
        f"sync {folder}"
    )
