"""Checks of the farm that is installed on a host already."""

from collections.abc import Iterator
from typing import Final

from farm.core.errors import ConfigurationError
from farm.pki import RENEW_DAYS, inspect
from playbooks import layout, services
from playbooks.doctor.check import Check, Subject, Verdict, error, info, ok, unknown, warning
from playbooks.facts.files import file_text
from playbooks.facts.firewall import FIREWALL
from playbooks.facts.installation import INSTALLATION, ReleaseState
from playbooks.facts.runtime import RUNTIME
from playbooks.facts.units import UnitState, unit_states
from playbooks.units import RAY_MOUNT

_BOOTSTRAP = "run `farm bootstrap`: it completes what is missing"

_NODE = services.node().unit
_FIREWALL = services.firewall().unit
# One of each is enough: an upgrade goes from one letter to the other.
_HEADS = tuple(services.head(letter).unit for letter in layout.LETTERS)
_GATEWAYS = tuple(services.gateway(letter).unit for letter in layout.LETTERS)

UNITS = unit_states(_NODE, _FIREWALL, RAY_MOUNT, *_HEADS, *_GATEWAYS)
CERTIFICATE = file_text(layout.CERTIFICATE)


def _releases(subject: Subject) -> Iterator[Verdict]:
    installed = subject.facts[INSTALLATION]
    for release, state in installed.releases.items():
        if state is ReleaseState.UNFINISHED:
            yield warning(f"release {release} was not installed to its end", _BOOTSTRAP)
        elif state is ReleaseState.REFUSED:
            yield info(f"release {release} does not run on this CPU and is not used")
    for service, release in installed.runs.items():
        if release not in installed.releases:
            yield error(f"{service} is to run release {release}, which is gone", _BOOTSTRAP)
    if installed.runs:
        yield ok(", ".join(f"{service} runs {name}" for service, name in installed.runs.items()))
    elif not installed.releases:
        yield _not_installed()


def _services(subject: Subject) -> Iterator[Verdict]:
    if not subject.facts[INSTALLATION].runs:
        yield _not_installed()
        return
    units = subject.facts[UNITS]
    for wanted in _wanted(subject):
        states = {name: units[name] for name in wanted if name in units}
        running = [name for name, state in states.items() if state.active == "active"]
        loaded = {name: state for name, state in states.items() if state.loaded}
        if running:
            yield from _restarts(running[0], states[running[0]])
        elif not loaded:
            yield error(f"there is no {' or '.join(wanted)}", _BOOTSTRAP)
        else:
            # Of two instances that which starts at a boot is meant to run.
            name, state = max(loaded.items(), key=lambda unit: unit[1].enabled)
            said = f" and says: {state.status}" if state.status else ""
            result = f" ({state.result})" if state.result not in ("", "success") else ""
            yield error(
                f"{name} is {state.active}{result}{said}",
                f"see why: `sudo journalctl -u {name} -n 50` there; then {_BOOTSTRAP}",
            )


def _wanted(subject: Subject) -> Iterator[tuple[str, ...]]:
    """Return the units that a host of this role runs, those that stand for one together."""
    if subject.farm.firewall:
        yield (_FIREWALL,)
    yield (RAY_MOUNT,)
    if subject.host.role.leads:
        yield _HEADS
        yield _GATEWAYS
    else:
        yield (_NODE,)


def _restarts(name: str, state: UnitState) -> Iterator[Verdict]:
    if state.restarts:
        times = "once" if state.restarts == 1 else f"{state.restarts} times"
        yield warning(
            f"{name} runs, but had to be restarted {times}",
            f"see why: `sudo journalctl -u {name} -n 200` there",
        )
    else:
        yield ok(f"{name} runs")


def _firewall(subject: Subject) -> Iterator[Verdict]:
    if not subject.farm.firewall:
        yield info("the inventory leaves Ray's ports to another firewall")
        return
    loaded = subject.facts[FIREWALL]
    if not subject.facts[INSTALLATION].runs:
        yield _not_installed()
    elif loaded is None:
        yield unknown("which firewall rules it has")
    elif not loaded:
        yield error(
            "the farm's firewall rules are not in force: everybody in its network reaches Ray's"
            " ports, where token and TLS alone are left",
            f"`sudo systemctl reload {_FIREWALL}`; see who flushes the rules, for example"
            " nftables.service",
        )
    else:
        yield ok("only the farm's hosts reach Ray's ports")


def _certificate(subject: Subject) -> Iterator[Verdict]:
    pem = subject.facts[CERTIFICATE]
    if pem is None:
        yield _not_installed()
        return
    try:
        ends = inspect(pem.encode()).not_after
    except ConfigurationError:
        yield error(f"{layout.CERTIFICATE} is no certificate", _BOOTSTRAP)
        return
    left = (ends - subject.now).days
    if ends <= subject.now:
        yield error(f"its certificate ended on {ends:%Y-%m-%d}: nobody talks to it", _BOOTSTRAP)
    elif left < RENEW_DAYS:
        yield warning(
            f"its certificate ends on {ends:%Y-%m-%d}, in {left} days",
            "run `farm bootstrap`: it issues a new one",
        )
    else:
        yield ok(f"good until {ends:%Y-%m-%d}")


def _runtime(subject: Subject) -> Iterator[Verdict]:
    trial = subject.facts[RUNTIME]
    if trial is None:
        yield info("not tried: the farm is not installed there yet, and bootstrap tries it")
    elif trial.failure:
        version = f" {trial.version}" if trial.version else ""
        stamps = sorted(map(layout.complete, set(subject.facts[INSTALLATION].runs.values())))
        yield error(
            f"ONNX Runtime{version} does not do its work there: {trial.failure}",
            f"`sudo rm {' '.join(stamps)}` there, then run `farm bootstrap`: it installs anew, and"
            " other versions if this one does not run on the CPU",
        )
    else:
        yield ok(f"ONNX Runtime {trial.version} runs models and answers rightly")


def _not_installed() -> Verdict:
    return info("the farm is not installed there yet")


FARM: Final = (
    Check(name="release", reads=(INSTALLATION,), judge=_releases),
    Check(name="services", reads=(INSTALLATION, UNITS), judge=_services),
    Check(name="firewall", reads=(INSTALLATION, FIREWALL), judge=_firewall),
    Check(name="certificate", reads=(CERTIFICATE,), judge=_certificate),
    Check(name="runtime", reads=(RUNTIME, INSTALLATION), judge=_runtime),
)
