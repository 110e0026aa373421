"""CPU classes, read from what kernels print."""

import pytest

from farm.core.cpu_classes import cpu_class


def arm(part: str, model: str) -> str:
    core = (
        "BogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
        f"CPU part\t: {part}\nCPU revision\t: 4\n\n"
    )
    cores = "".join(f"processor\t: {number}\n{core}" for number in range(4))
    return f"{cores}Revision\t: d04170\nSerial\t\t: 0000000000000000\nModel\t\t: {model}\n"


V2 = "fpu vme de pse tsc msr sse sse2 ht syscall nx lm pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm"
V3 = f"{V2} fma movbe f16c avx abm bmi1 avx2 bmi2"
V4 = f"{V3} avx512f avx512dq avx512cd avx512bw avx512vl"


def x86(flags: str) -> str:
    return (
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
        f"model name\t: Intel(R) Xeon(R)\nflags\t\t: {flags}\n"
        "vmx flags\t: vnmi preemption_timer\nbugs\t\t: spectre_v1\n\n"
    )


@pytest.mark.parametrize(
    ("cpuinfo", "machine", "expected"),
    [
        pytest.param(arm("0xb76", "Raspberry Pi Zero W Rev 1.1"), "armv6l", "arm1176", id="zero"),
        pytest.param(arm("0xc07", "Raspberry Pi 2 Model B Rev 1.1"), "armv7l", "cortex-a7", id="2"),
        pytest.param(
            arm("0xd03", "Raspberry Pi 3 Model B Plus Rev 1.3"), "aarch64", "cortex-a53", id="3"
        ),
        pytest.param(
            arm("0xd08", "Raspberry Pi 4 Model B Rev 1.5"), "aarch64", "cortex-a72", id="4"
        ),
        pytest.param(
            arm("0xd0b", "Raspberry Pi 5 Model B Rev 1.0"), "aarch64", "cortex-a76", id="5"
        ),
        pytest.param(arm("0xd4f", "something new"), "aarch64", "arm-0xd4f", id="unknown arm"),
        pytest.param(x86("fpu sse sse2 lm"), "x86_64", "x86-64-v1", id="x86 v1"),
        pytest.param(x86(V2), "x86_64", "x86-64-v2", id="x86 v2"),
        pytest.param(x86(V3), "x86_64", "x86-64-v3", id="x86 v3"),
        pytest.param(x86(V3.replace(" fma", "")), "x86_64", "x86-64-v2", id="x86 almost v3"),
        pytest.param(x86(V4), "x86_64", "x86-64-v4", id="x86 v4"),
        pytest.param(x86(V4.replace(" avx512vl", "")), "x86_64", "x86-64-v3", id="almost v4"),
        pytest.param("processor\t: 0\nisa\t: rv64imafdc\n", "riscv64", "riscv64", id="neither"),
        pytest.param("", "aarch64", "aarch64", id="nothing"),
    ],
)
def test_cpu_class(cpuinfo: str, machine: str, expected: str) -> None:
    assert cpu_class(cpuinfo, machine) == expected
