"""Which instances of the head's services are in use: what `a` and `b` are at the moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from farm.core.ports import CLUSTER_BASES
from farm.inventory import Host
from playbooks import layout, services
from playbooks.facts.base import Fact
from playbooks.facts.files import file_text
from playbooks.facts.installation import INSTALLATION
from playbooks.facts.ray_runtime import RayRuntime, ray_runtime
from playbooks.facts.services import ServiceState, service_state
from playbooks.runner import Runner

_FIRST = layout.LETTERS[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """The head's services by letter. `runs` names the release of each service, like `head-a`.

    `nodes` are those that the gateway in use knows, with the threads of each, and `told` is what
    it is told of each.
    """

    heads: Mapping[str, ServiceState] = field(default_factory=dict)
    gateways: Mapping[str, ServiceState] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    runtimes: Mapping[str, RayRuntime] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def gateway(self) -> str:
        """The letter of the gateway that clients talk to, or are to."""
        return _in_use(self.gateways)

    @property
    def cluster(self) -> str:
        """The letter of the cluster that this gateway is part of, or that is to be."""
        if self.serving:
            return self.clusters.get(self.gateway, _FIRST)
        return _in_use(self.heads)

    @property
    def serving(self) -> bool:
        return self.gateway in self.gateways and self.gateways[self.gateway].active

    @property
    def leading(self) -> bool:
        """Whether the head of the cluster in use runs."""
        return self.cluster in self.heads and self.heads[self.cluster].active

    @property
    def nodes(self) -> Mapping[str, int]:
        return self.known.get(self.gateway, {})

    @property
    def told(self) -> Mapping[str, Any]:
        return self.entries.get(self.gateway, {})


def read_instances(runner: Runner, head: Host) -> Instances:
    """Ask the head; of one that does not go on, nothing is known."""
    facts: dict[str, dict[str, Fact[Any]]] = {
        "heads": {letter: service_state(services.head(letter)) for letter in layout.LETTERS},
        "gateways": {letter: service_state(services.gateway(letter)) for letter in layout.LETTERS},
        "texts": {letter: file_text(layout.gateway_config(letter)) for letter in layout.LETTERS},
        "runtimes": {letter: ray_runtime(f"head-{letter}") for letter in layout.LETTERS},
    }
    asked = [fact for group in facts.values() for fact in group.values()]
    told = runner.read(lambda host: [*asked, INSTALLATION] if host == head else [])
    if head.name not in told:
        return Instances()
    known = told[head.name]
    answers = {
        group: {letter: known[fact] for letter, fact in by_letter.items()}
        for group, by_letter in facts.items()
    }
    texts = {letter: _settings(text) for letter, text in answers["texts"].items()}
    return Instances(
        heads=answers["heads"],
        gateways=answers["gateways"],
        clusters={
            letter: cluster for letter, found in texts.items() if (cluster := _cluster(found))
        },
        runtimes=answers["runtimes"],
        runs=known[INSTALLATION].runs,
        known={letter: _nodes(found) for letter, found in texts.items()},
        entries={letter: _entries(found) for letter, found in texts.items()},
    )


def other(letter: str) -> str:
    """Return the letter that is free while this one is in use."""
    return next(each for each in layout.LETTERS if each != letter)


def _in_use(states: Mapping[str, ServiceState]) -> str:
    """Return the letter that runs and starts at a boot, else one that does either."""
    running = [letter for letter, state in states.items() if state.active]
    enabled = [letter for letter, state in states.items() if state.unit.enabled]
    both = [letter for letter in running if letter in enabled]
    return (both or running or enabled or [_FIRST])[0]


def _settings(text: str | None) -> Mapping[str, Any]:
    """Return a gateway's settings as an earlier run wrote them, nothing of any other text."""
    try:
        values = yaml.safe_load(text or "")
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, Mapping) else {}


def _cluster(gateway: Mapping[str, Any]) -> str:
    cluster = gateway.get("cluster")
    base = cluster.get("port_base") if isinstance(cluster, Mapping) else None
    return next((letter for letter, own in CLUSTER_BASES.items() if own == base), "")


def _entries(gateway: Mapping[str, Any]) -> Mapping[str, Any]:
    nodes = gateway.get("nodes")
    return nodes if isinstance(nodes, Mapping) else {}


def _nodes(gateway: Mapping[str, Any]) -> Mapping[str, int]:
    try:
        return {
            str(name): int(node["slots"]) * int(node["threads_per_slot"])
            for name, node in gateway["nodes"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
