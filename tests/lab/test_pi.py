"""An emulated arm64 host is a 64-bit Raspberry Pi 4, and becomes a node that answers rightly."""

from dataclasses import dataclass
from pathlib import Path

import digit_requests
import pytest
from lab import Host, Lab
from operator_machine import Ended, Operator

from farm.goldens import difference
from playbooks.requirements import onnxruntime_versions

pytestmark = [pytest.mark.pi, pytest.mark.timeout(2700)]

# Ray's agents may miss the 15 s that Ray gives them, which no emulator is made for; what was
# read once is quicker the next time.
ATTEMPTS = 3


@pytest.fixture(scope="module")
def pi(lab: Lab) -> Host:
    # Emulated cores are slow enough without a quota.
    return lab.host("pi-arm64", arch="arm64", cpus=2.0)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedFarm:
    """A head that serves on x86-64, and the Pi; `last` is how their bootstrap ended."""

    operator: Operator
    inventory: Path
    both: Host
    pi: Host
    last: Ended


@pytest.fixture(scope="module")
def farm(lab: Lab, pi: Host) -> MixedFarm:
    operator = Operator.of(lab)
    both = lab.host("both", memory_mb=2048)
    # The emulator knows nothing of the kernel's packet filter.
    inventory = lab.write_inventory(head=both, nodes=[both, pi], farm={"firewall": False})
    operator.trust(inventory)
    for _ in range(ATTEMPTS):
        last = operator.bootstrap(inventory)
        if last.exit_code == 0:
            break
    assert last.exit_code == 0, last.said
    return MixedFarm(operator=operator, inventory=inventory, both=both, pi=pi, last=last)


def test_it_becomes_a_node(farm: MixedFarm) -> None:
    assert not [golden for golden in farm.last.document["run"]["goldens"] if golden["problem"]]
    described = farm.operator.farm("nodes", "describe", farm.pi.name, "--output", "json")
    node = described.document["node"]
    assert (node["state"], node["architecture"]) == ("ready", "aarch64")
    assert node["cpu_class"] == "cortex-a72"
    # The first of the class that runs: newer ones kill their process on this CPU.
    assert node["onnxruntime_version"] == onnxruntime_versions("cortex-a72")[0]


def test_the_doctor_knows_a_pi_4(farm: MixedFarm) -> None:
    examined = farm.operator.farm("doctor", "-i", farm.inventory, "--output", "json")
    assert examined.exit_code == 0, examined.said
    report = {host["host"]: host for host in examined.document["hosts"]}[farm.pi.name]
    said = {found["check"]: found["meaning"] for found in report["findings"]}
    assert "Raspberry Pi 4 Model B" in said["board"]
    assert said["word size"] == "64-bit, aarch64"
    assert "answers rightly" in said["runtime"]


def test_it_answers_as_x86_64_does(farm: MixedFarm) -> None:
    """Within what the goldens allow, which is less than any change of the answer's meaning."""
    folder = farm.operator.home / "for-alice"
    assert farm.operator.farm("certs", "issue", "alice", "--folder", folder).exit_code == 0
    answers = {}
    with digit_requests.client(f"{farm.both.address}:8001", folder) as connection:
        for idle, asked in ((farm.both, farm.pi), (farm.pi, farm.both)):
            for change in (("uncordon", asked.name), ("cordon", idle.name)):
                assert farm.operator.farm("nodes", *change).exit_code == 0
            for model in digit_requests.GOLDENS:
                answer = digit_requests.ask(connection, model)
                assert answer.node == asked.name
                answers[model, asked.name] = answer.outputs
    for model, golden in digit_requests.GOLDENS.items():
        here, there = answers[model, farm.both.name], answers[model, farm.pi.name]
        for name, expected in here.items():
            assert not difference(there[name], expected, golden), f"{model} {name}"
