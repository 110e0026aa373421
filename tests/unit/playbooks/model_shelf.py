"""A whole shelf in memory: an inventory's model hosts, their gateway, and what they are given."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from farm.inventory import FarmSettings, Host, Inventory
from playbooks import layout
from playbooks.bootstrap import bootstrap
from playbooks.cache import CachedFile, sha256_of
from playbooks.deployment import Order, Report
from playbooks.facts.files import Kind
from playbooks.installation import Supplies
from playbooks.requirements import Pin, Target
from playbooks.runner import Runner, RunnerSettings
from playbooks.wheelhouse import Wheelhouse
from tests.unit.playbooks.model_host import Entry, ModelHost
from tests.unit.playbooks.shelf_gateway import ShelfGateway
from tests.unit.playbooks.shelf_texts import sound_pi


class OneWheel(Wheelhouse):
    """A wheelhouse where everything is one small wheel, and what `lacks` names is missing."""

    def __init__(self, folder: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(folder, tell=tell)
        self.lacks: dict[str, Exception] = {}
        self.fetched: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.any, self.own = (_wheel(folder, name) for name in ("any", "own"))

    def fetch(self, pins: Sequence[Pin], target: Target) -> tuple[CachedFile, ...]:
        version = next(pin.version for pin in pins if pin.name == "onnxruntime")
        self.fetched.append(version)
        if version in self.lacks:
            raise self.lacks[version]
        return (self.any,)


def _wheel(folder: Path, name: str) -> CachedFile:
    path = folder / f"{name}-1-py3-none-any.whl"
    path.write_bytes(name.encode())
    return CachedFile.of(path, sha256_of(path))


class ModelShelf:
    """Hosts by name, each at 198.18.0.<number>; the first leads and, with `both`, serves."""

    def __init__(self, folder: Path, gateway: ShelfGateway, names: str, *, both: bool) -> None:
        self.folder = folder
        self.gateway = gateway
        hosts = [
            Host.model_validate(
                {
                    "name": name,
                    "address": f"198.18.0.{number}",
                    "role": "node" if number > 1 else "both" if both else "head",
                }
            )
            for number, name in enumerate(names, 1)
        ]
        settings = {"name": "shelf", "gateway": {"grpc": gateway.address}}
        self.inventory = Inventory(farm=FarmSettings.model_validate(settings), hosts=tuple(hosts))
        self.hosts = {host.name: self.bare(number) for number, host in enumerate(hosts, 1)}
        self.home = gateway.home
        self.wheelhouse = OneWheel(folder / "cache")
        self.models = folder / "models"
        (self.models / "digits" / "1").mkdir(parents=True, exist_ok=True)
        (self.models / "digits" / "1" / "model.onnx").write_bytes(b"onnx")
        # What keeps a node from serving, whatever its service says.
        self.sick: dict[str, str] = {}
        gateway.looks = self._tell_gateway
        gateway.meets = self._cordon

    def bare(self, number: int) -> ModelHost:
        now = {"clock": f"{time.time():.9f}\n"}
        return ModelHost(sound_pi(number) | now)

    def _tell_gateway(self) -> None:
        for host in self.inventory.nodes:
            model = self.hosts[host.name]
            state = "cordoned" if layout.CORDONED in model.paths else "ready"
            serving = ("farm-node.service", "farm-head@a.service", "farm-head@b.service")
            if model.running().isdisjoint(serving):
                state = "lost"
            self.gateway.has(host.name, state=self.sick.get(host.name, state))

    def _cordon(self, action: str, node: str) -> None:
        paths = self.hosts[node].paths
        paths.pop(layout.CORDONED, None)
        if action == "cordon":
            paths[layout.CORDONED] = Entry(kind=Kind.FILE)

    def replace(self, **fields: object) -> None:
        """Change the inventory's settings of the farm."""
        farm = self.inventory.farm.model_copy(update=fields)
        self.inventory = self.inventory.model_copy(update={"farm": farm})

    def run(self, *limit: str, **settings: object) -> tuple[Report, Runner]:
        """Bootstrap the shelf, or the hosts of a limit."""
        order, runner = self.order(*limit, **settings)
        return bootstrap(order, runner), runner

    def order(self, *limit: str, **settings: object) -> tuple[Order, Runner]:
        hosts = self.inventory.limited_to(limit)
        runner = Runner(
            hosts,
            connect=lambda host: self.hosts[host.name],
            settings=RunnerSettings(**settings),  # type: ignore[arg-type]
        )
        supplies = Supplies(
            wheelhouse=self.wheelhouse,
            wheel=self.wheelhouse.own,
            cache=self.folder / "cache",
            tell=lambda line: None,
        )
        order = Order(
            inventory=self.inventory,
            home=self.home,
            supplies=supplies,
            models=self.models,
            sudo_password=False,
        )
        return order, runner

    def errors(self, runner: Runner) -> Mapping[str, str]:
        records = runner.records.values()
        return {each.host: each.error.message for each in records if each.error is not None}
