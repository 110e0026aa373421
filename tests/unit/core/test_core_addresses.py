"""Which addresses are this machine's alone."""

import pytest

from farm.core.addresses import on_loopback


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8001", "127.9.9.9:1", "[::1]:8001", "localhost:8001", "LOCALHOST:1",
     "[::ffff:127.0.0.1]:1", "unix:/run/farm.sock"],
)  # fmt: skip
def test_nobody_else_reaches_these(address: str) -> None:
    assert on_loopback(address)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:8001", "[::]:8001", "198.18.0.10:8001", "pi-head:8001", "localhost.example:1",
     "127.0.0.1.example:1", "[::ffff:198.18.0.1]:1", "[fe80::1]:1", "", ":8001", "127.0.0.1",
     "dns:///127.0.0.1:8001"],
)  # fmt: skip
def test_others_may_reach_these(address: str) -> None:
    assert not on_loopback(address)
