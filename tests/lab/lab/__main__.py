"""`python -m lab`: labs that stay up for use by hand. `make lab-up` and `lab-down` call it."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Final

from lab import claims
from lab.boards import BOARDS
from lab.execution import run
from lab.image import image
from lab.requirements import missing, missing_packages
from lab.shelf import Lab, hosts_of
from lab.terms import LabError

INSTALL_TIMEOUT_S: Final = 900.0


def prepare(arguments: argparse.Namespace) -> int:
    packages = missing_packages(arguments.arch)
    if arguments.install and packages and os.geteuid() == 0:
        run("apt-get", "update", timeout_s=INSTALL_TIMEOUT_S)
        install = ("apt-get", "install", "--yes", "--no-install-recommends")
        run(*install, *packages, timeout_s=INSTALL_TIMEOUT_S)
    if lacks := missing(arguments.arch):
        for line in lacks:
            print(f"lab: this machine lacks {line}", file=sys.stderr)
        return 1
    print(f"image      {image(arguments.arch)}")
    return 0


def up(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.lab, kept=True)
    hosts = lab.bare(arguments.hosts, board=arguments.board)
    if arguments.pi:
        hosts.append(lab.host("pi-arm64", arch="arm64"))
    print(f"inventory  {lab.write_inventory(head=hosts[0], nodes=hosts)}")
    for host in hosts:
        print(f"{host.name:<10} ssh -i {lab.ssh_key} {host.user}@{host.address}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    claims.remove(arguments.lab)
    return 0


def status(_: argparse.Namespace) -> int:
    for name in claims.names():
        for host in hosts_of(name):
            used = f"{host.memory_used_mb} MB" if host.running else "off"
            print(f"{name:<16} {host.name:<16} {host.address:<16} {host.spec.arch:<6} {used}")
    return 0


def shell(arguments: argparse.Namespace) -> int:
    hosts = {host.name: host for host in hosts_of(arguments.lab)}
    if arguments.host not in hosts:
        raise LabError(f"{arguments.lab} has no host {arguments.host}; it has {sorted(hosts)}")
    print(hosts[arguments.host].shell(arguments.text, timeout_s=3600.0), end="")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def add(carried_out: Callable[[argparse.Namespace], int], told: str) -> argparse.ArgumentParser:
        command = commands.add_parser(carried_out.__name__, help=told)
        command.set_defaults(carry_out=carried_out)
        return command

    preparing = add(prepare, "say what this machine lacks for a lab, or make the image of hosts")
    preparing.add_argument("--arch", choices=["amd64", "arm64"], default="amd64")
    preparing.add_argument("--install", action="store_true", help="apt-get what is missing")
    making = add(up, "make a lab of bare hosts that stays")
    making.add_argument("--hosts", type=int, default=3, metavar="N")
    making.add_argument("--board", choices=sorted(BOARDS), default="rpi4b")
    making.add_argument("--pi", action="store_true", help="an emulated arm64 host besides")
    removing = add(down, "remove a lab and everything of it")
    telling = add(shell, "run a shell text as root on a host")
    telling.add_argument("host")
    telling.add_argument("text")
    for command in (making, removing, telling):
        command.add_argument("--lab", default="shelf", metavar="NAME")
    add(status, "list labs and their hosts")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    if os.geteuid() != 0 and arguments.carry_out is not prepare:
        print("lab: labs are root's; run it with sudo", file=sys.stderr)
        return 1
    try:
        code: int = arguments.carry_out(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
