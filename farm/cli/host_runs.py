"""A run over a farm's hosts, as every command that reaches them begins and ends it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.inventory import Host, Inventory
    from playbooks.runner import Runner, RunnerSettings


@contextmanager
def run_over(
    farm: "Inventory",
    hosts: "Sequence[Host]",
    *,
    sudo_password: str | None,
    settings: "RunnerSettings",
) -> "Iterator[Runner]":
    """Yield a runner over hosts of a farm; its progress is shown for as long as it lasts.

    Hosts are known by the farm's own known-hosts file. Their connections are ended at last.
    """
    from farm.cli.host_progress import shown_progress
    from farm.contexts import FarmHome
    from playbooks.runner import Runner
    from playbooks.ssh import SshSettings, SshTransport

    known_hosts = FarmHome.of(os.environ).folder(farm.farm.name).known_hosts
    ssh = SshSettings(known_hosts=known_hosts, sudo_password=sudo_password)
    with shown_progress([host.name for host in hosts]) as progress:
        runner = Runner(
            hosts,
            connect=lambda host: SshTransport(host, ssh),
            settings=settings,
            progress=progress,
        )
        with closing(runner):
            yield runner
