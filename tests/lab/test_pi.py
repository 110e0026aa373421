"""An emulated arm64 host is a 64-bit Raspberry Pi 4 for everything that runs on it."""

import pytest
from lab import Host, Lab

pytestmark = [pytest.mark.pi, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def pi(lab: Lab) -> Host:
    return lab.host("pi-arm64", arch="arm64")


def test_it_is_a_64_bit_pi_4(pi: Host) -> None:
    asked = "uname -m; getconf LONG_BIT; systemctl is-system-running; sudo -n id -u"
    assert pi.ssh(asked).stdout.split() == ["aarch64", "64", "running", "0"]
    python = "python3 -c 'import platform; print(platform.machine())'"
    assert pi.ssh(python).stdout.strip() == "aarch64"
    assert "CPU part\t: 0xd08" in pi.ssh("cat /proc/cpuinfo").stdout


def test_sessions_sudo_and_units_run_on_its_cpu(pi: Host) -> None:
    asked = "printenv QEMU_CPU; sudo -n printenv QEMU_CPU"
    in_unit = "sudo -n systemd-run --quiet --wait --pipe printenv QEMU_CPU"
    assert pi.ssh(f"{asked}; {in_unit}").stdout.split() == ["cortex-a72"] * 3
