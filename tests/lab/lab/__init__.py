"""A lab of hosts on one machine: each has its own systemd, sshd, disk and address."""

from lab.host import Host
from lab.shelf import Lab
from lab.terms import LabError, Sudo

__all__ = ["Host", "Lab", "LabError", "Sudo"]
