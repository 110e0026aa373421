"""The lab is what it says: hosts like bare Pis, faults that are real, and nothing left behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Host, Lab, claims, control_groups, network

from farm.inventory import load_inventory

pytestmark = pytest.mark.lab

# What a child says once its host is up, before it is killed.
UP_AND_WAIT = """
import sys
from lab import Lab
lab = Lab(sys.argv[1])
lab.host("pi-1")
print("up", flush=True)
sys.stdin.read()
"""

# Prints how many CPU seconds a loop got within two seconds.
BUSY = """
import resource, subprocess
subprocess.run(["timeout", "2", "sh", "-c", "while :; do :; done"])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""


@pytest.fixture(scope="module")
def pair(lab: Lab) -> tuple[Host, Host]:
    first, second = lab.bare(2)
    return first, second


@pytest.fixture
def pi(pair: tuple[Host, Host]) -> Host:
    return pair[0]


def said(host: Host, command: str) -> str:
    done = host.ssh(command)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def traces(name: str) -> list[str]:
    """Return everything on this machine that is named after a lab."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [
        *(space for space in network.namespaces() if space.startswith(claims.mark(name))),
        *(line for line in mounts if f"/farm-lab/{name}/" in line),
        *(str(pid) for pid in control_groups.processes(claims.group(name))),
        *(f"lab {known}" for known in claims.names() if known == name),
        *(line for line in subprocess.check_output(["losetup", "--all"], text=True).splitlines()
          if f"/farm-lab/{name}/" in line),
    ]  # fmt: skip


def test_a_host_is_a_bare_pi(pi: Host) -> None:
    assert said(pi, "hostname; whoami; sudo -n id -u").split() == ["pi-1", "pi", "0"]
    assert said(pi, "systemctl is-system-running") == "running"
    assert said(pi, "tr -d '\\0' < /sys/firmware/devicetree/base/model").startswith(
        "Raspberry Pi 4"
    )
    assert said(pi, "getent hosts $(hostname)").split() == ["127.0.1.1", "pi-1"]
    assert said(pi, "awk '/MemTotal/ {print $2}' /proc/meminfo") == str(4096 * 1024)
    assert pi.ssh("getent passwd farm || command -v nft || ls -A /opt | grep .").returncode != 0


def test_its_firmware_says_what_a_test_wants(pi: Host) -> None:
    assert said(pi, "vcgencmd get_throttled; vcgencmd measure_temp") == "throttled=0x0\ntemp=48.3'C"
    pi.firmware(throttled="0x50005", clock="600117184")
    assert said(pi, "vcgencmd get_throttled") == "throttled=0x50005"
    assert said(pi, "vcgencmd measure_clock arm") == "frequency(48)=600117184"


def test_hosts_reach_each_other_and_nothing_else(lab: Lab, pair: tuple[Host, Host]) -> None:
    first, second = pair
    said(first, f"ping -c 1 -W 5 {second.address}")
    said(first, f"ping -c 1 -W 5 {lab.operator_address}")
    assert said(first, "ls /sys/class/net").split() == ["eth0", "lo"]
    assert "unreachable" in first.ssh("ping -c 1 -W 1 192.0.2.1").stderr


def test_its_inventory_is_one(lab: Lab, pair: tuple[Host, Host]) -> None:
    inventory = load_inventory(lab.write_inventory(head=pair[0], nodes=pair))
    assert inventory.head.name == pair[0].name
    assert [host.address for host in inventory.nodes] == [host.address for host in pair]


def test_a_pulled_cable(pair: tuple[Host, Host]) -> None:
    first, second = pair
    first.unplug()
    try:
        assert second.ssh(f"ping -c 1 -W 1 {first.address}").returncode != 0
        assert first.shell("cat /sys/class/net/eth0/carrier").strip() == "0"
    finally:
        first.plug()
    said(second, f"ping -c 1 -W 5 {first.address}")


def test_a_long_link_delays_every_packet(pair: tuple[Host, Host]) -> None:
    first, second = pair
    arrives = f"ping -c 1 -W 10 {first.address}"
    arrives_at_once = f"ping -c 1 -W 0.2 {first.address}"
    with first.long_link(0.15):
        assert second.ssh(arrives_at_once).returncode != 0
        said(second, arrives)
        assert len(said(first, "head -c 1000000 /dev/zero | tr '\\0' x")) == 1_000_000
    said(second, f"{arrives_at_once} -c 10 | grep -v ' 0 received'")


def test_a_frozen_host_says_nothing_and_goes_on_once_thawed(pair: tuple[Host, Host]) -> None:
    first, second = pair
    greeting = f"timeout 10 bash -c 'read -t 2 line < /dev/tcp/{first.address}/22; echo $line'"
    first.freeze()
    try:
        assert said(second, greeting) == ""
        said(second, f"ping -c 1 -W 5 {first.address}")
    finally:
        first.thaw()
    assert said(second, greeting).startswith("SSH-")


def test_memory_that_is_used_up_costs_a_process(lab: Lab) -> None:
    full = lab.host("full", board="rpi-zero2w")
    full.shell("systemd-run --quiet --unit victim --property OOMScoreAdjust=1000 sleep 1000")
    full.exhaust_memory("^/usr/bin/sleep 1000")
    result = "systemctl show victim --property Result --value"
    full.shell(f"until [ $({result}) != success ]; do sleep 0.1; done", timeout_s=120)
    full.release_memory()
    said(full, "true")


def test_a_full_disk_is_full_for_one_host_alone(pair: tuple[Host, Host]) -> None:
    first, second = pair
    first.fill_disk(leave_bytes=1 << 20)
    write = "sudo dd if=/dev/zero of=/opt/file bs=1M count=4"
    assert "No space left on device" in first.ssh(write).stderr
    said(second, write)
    first.free_disk()
    said(first, write)


def test_a_small_board_has_little_memory_and_few_cycles(lab: Lab) -> None:
    small = lab.host("small", board="rpi-zero2w")
    assert "Killed" in small.ssh("python3 -c 'bytearray(600 << 20)'; echo").stderr
    said(small, "python3 -c 'bytearray(300 << 20)'")
    # Of two seconds it gets 0.42 each, whatever else runs here.
    assert float(said(small, f"python3 -c '{BUSY}'")) < 1.3


def test_a_power_cut_keeps_the_disk_and_nothing_else(pi: Host) -> None:
    said(pi, "echo kept > file; sudo -n touch /run/gone; sudo -n ip address add 192.0.2.1 dev lo")
    pi.power_cycle()
    assert said(pi, "cat file") == "kept"
    assert "gone" not in said(pi, "ls /run")
    assert "192.0.2.1" not in said(pi, "ip address")


def test_dropped_connections(pi: Host) -> None:
    with subprocess.Popen(pi.ssh_command("sleep 1000"), stderr=subprocess.DEVNULL) as session:
        try:
            pi.await_process("^sleep 1000")
            pi.drop_connections()
            assert session.wait(timeout=30) == 255
        finally:
            session.kill()
    said(pi, "true")


def test_another_host_key(lab: Lab, pi: Host) -> None:
    before = pi.host_keys()
    assert before == [line for line in lab.known_hosts().splitlines() if pi.address in line]
    pi.new_host_keys()
    assert not set(before) & set(pi.host_keys())
    scanned = subprocess.check_output(["ssh-keyscan", pi.address], stderr=subprocess.DEVNULL)
    assert set(scanned.decode().splitlines()) == set(pi.host_keys())


def test_an_unresolvable_name(pi: Host) -> None:
    pi.rename_unresolvable()
    assert pi.ssh("getent hosts $(hostname)").returncode != 0
    pi.rename_back()
    said(pi, "getent hosts $(hostname)")


@pytest.fixture
def spoilt(lab: Lab) -> Iterator[Host]:
    """A host that a test may leave in any state."""
    host = lab.host(f"spoilt-{len(lab.hosts)}")
    yield host
    host.stop()


def test_a_refused_key(spoilt: Host) -> None:
    spoilt.refuse_key()
    assert "Permission denied" in spoilt.ssh("true").stderr


def test_a_clock_in_1970(spoilt: Host) -> None:
    spoilt.set_clock_1970()
    assert said(spoilt, "date +%Y; sudo -n date +%Y").split() == ["1970", "1970"]
    assert spoilt.shell("date +%Y").strip() != "1970"


def test_a_32_bit_system(spoilt: Host) -> None:
    spoilt.pretend_32_bit()
    asked = "uname -m; getconf LONG_BIT; dpkg --print-architecture; sudo -n uname -m"
    assert said(spoilt, asked).split() == ["i686", "32", "i386", "i686"]


def test_another_python(spoilt: Host) -> None:
    spoilt.pretend_python("3.9.2")
    assert said(spoilt, "python3 --version") == "Python 3.9.2"
    asked = "import sys, platform; print(sys.version_info[:2], platform.python_version())"
    assert said(spoilt, f"python3 -c '{asked}'") == "(3, 9) 3.9.2"


def test_what_its_user_may_do(lab: Lab) -> None:
    asked, refused = lab.host("asked", sudo="password"), lab.host("refused", sudo="refused")
    assert asked.ssh("sudo -n true").returncode != 0
    assert said(asked, f"echo {asked.sudo_password} | sudo -S -p '' id -u") == "0"
    assert refused.ssh(f"echo {refused.sudo_password} | sudo -S -p '' id -u").returncode != 0


def test_labs_share_neither_subnet_nor_end(lab: Lab) -> None:
    with Lab(f"other{os.getpid()}") as other:
        assert other.operator_address != lab.operator_address
        other.host("pi-1")
        assert traces(other.name)
    assert not traces(other.name)
    assert traces(lab.name)


def test_a_killed_lab_is_swept(lab: Lab) -> None:
    name = f"killed{os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-c", UP_AND_WAIT, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert name not in claims.sweep()
        child.kill()
    assert name in claims.sweep()
    assert not traces(name)
    assert traces(lab.name)
