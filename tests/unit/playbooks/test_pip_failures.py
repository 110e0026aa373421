"""What the operator is told when a wheel cannot be fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError, FarmError, IntegrityError, UnreachableError
from playbooks.pip_failures import NoWheelError, failure_of
from playbooks.requirements import Pin, Target

PIN = Pin(name="pydantic-core", version="2.50.4", sha256=frozenset({"ab" * 32}))
PI = Target(arch="aarch64", python=(3, 14), glibc=(2, 31))


def skipped(*wheels: str) -> str:
    """Return what pip prints of wheels that it does not take."""
    lines = [
        f"  Skipping link: none of the wheel's tags ({name.removesuffix('.whl')}) are compatible: "
        f"file:///index/{name}"
        for name in wheels
    ]
    return "\n".join((*lines, "ERROR: No matching distribution found for pydantic-core==2.50.4"))


@pytest.mark.parametrize(
    ("output", "kind", "says"),
    [
        (
            skipped(
                "pydantic_core-2.50.4-cp311-cp311-manylinux_2_17_aarch64.whl",
                "pydantic_core-2.50.4-cp313-cp313-manylinux_2_17_aarch64.whl",
                "pydantic_core-2.50.4-cp314-cp314-manylinux_2_17_x86_64.whl",
                "pydantic_core-2.50.3-cp314-cp314-manylinux_2_17_aarch64.whl",
                "not a wheel.whl",
            ),
            NoWheelError,
            "pydantic-core 2.50.4 has no wheel for Python 3.14 on aarch64, only for Python 3.11, "
            "3.13: give all hosts",
        ),
        (
            skipped("pydantic_core-2.50.4-cp314-cp314-manylinux_2_34_aarch64.whl"),
            NoWheelError,
            "needs a newer glibc than the host's 2.31",
        ),
        (
            skipped("pydantic_core-2.50.4-cp314-cp314-win_amd64.whl"),
            NoWheelError,
            "nor for another Python",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement pydantic-core==2.50.4 "
            "(from versions: 2.50.2, 2.50.3)\nERROR: No matching distribution found",
            NoWheelError,
            "has no pydantic-core 2.50.4 for Python 3.14 on aarch64; it has 2.50.2, 2.50.3",
        ),
        (
            "WARNING: Retrying (Retry(total=1, connect=None)) after connection broken by "
            "'NewConnectionError'\nERROR: Could not find a version that satisfies the requirement "
            "pydantic-core==2.50.4 (from versions: none)",
            UnreachableError,
            "the package index does not answer",
        ),
        (
            "WARNING: Retrying (Retry(total=1)) after connection broken by 'SSLError("
            "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]",
            UnreachableError,
            "certificate",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            IntegrityError,
            "other bytes for pydantic-core 2.50.4",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device",
            ConfigurationError,
            "FARM_CACHE",
        ),
        ("/usr/bin/python3: No module named pip", ConfigurationError, "ensurepip"),
        ("ERROR: a new one", UnreachableError, "pip says: ERROR: a new one"),
    ],
)
def test_a_failure_says_what_why_and_what_to_do(
    output: str, kind: type[FarmError], says: str
) -> None:
    error = failure_of(output, PIN, PI)
    assert isinstance(error, kind)
    assert says in error.message


@given(st.text())
def test_any_output_becomes_an_error_that_names_the_package(output: str) -> None:
    assert "pydantic-core 2.50.4" in failure_of(output, PIN, PI).message
