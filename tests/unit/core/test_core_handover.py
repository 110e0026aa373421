"""Two listeners on one address: who gets new connections."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from farm.core.handover import (
    end_connections,
    is_taken,
    open_connections,
    take_new_connections,
    take_port,
)

# By chance alone all of them would go one way once in a million times.
CONNECTIONS = 20


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def listener(stack: ExitStack, port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = stack.enter_context(socket.socket(family))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen(CONNECTIONS)
    made.setblocking(False)
    return made


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def accepted(one: socket.socket) -> int:
    """Accept what waits; return how many connections did."""
    count = 0
    while True:
        try:
            connection, _ = one.accept()
        except BlockingIOError:
            return count
        connection.close()
        count += 1


def connect(stack: ExitStack, address: tuple[str, int]) -> None:
    for _ in range(CONNECTIONS):
        stack.enter_context(socket.create_connection(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_the_newer_listener_gets_all(host: str, stack: ExitStack) -> None:
    older = listener(stack, host=host)
    address = (host if host != "0.0.0.0" else "127.0.0.1", port_of(older))
    take_new_connections(older)
    connect(stack, address)
    assert accepted(older) == CONNECTIONS
    newer = listener(stack, address[1], host)
    take_new_connections(newer)
    connect(stack, address)
    assert (accepted(older), accepted(newer)) == (0, CONNECTIONS)


def test_what_waits_at_the_older_stays_there(stack: ExitStack) -> None:
    older = listener(stack)
    take_new_connections(older)
    connect(stack, ("127.0.0.1", port_of(older)))
    newer = listener(stack, port_of(older))
    take_new_connections(newer)
    assert (accepted(older), accepted(newer)) == (CONNECTIONS, 0)


def test_it_goes_on_from_one_to_the_next(stack: ExitStack) -> None:
    current = listener(stack)
    address = ("127.0.0.1", port_of(current))
    take_new_connections(current)
    for _ in range(3):
        newer = listener(stack, address[1])
        take_new_connections(newer)
        current.close()
        connect(stack, address)
        assert accepted(newer) == CONNECTIONS
        current = newer


def test_if_the_newer_dies_the_older_is_asked_again(stack: ExitStack) -> None:
    older = listener(stack)
    address = ("127.0.0.1", port_of(older))
    take_new_connections(older)
    newer = listener(stack, address[1])
    take_new_connections(newer)
    newer.close()
    connect(stack, address)
    assert accepted(older) == CONNECTIONS


def test_a_port_is_taken_for_whoever_opened_it(stack: ExitStack) -> None:
    older = listener(stack)
    newer = listener(stack, port_of(older))
    take_port(port_of(older))
    connect(stack, ("127.0.0.1", port_of(older)))
    assert (accepted(older), accepted(newer)) == (0, CONNECTIONS)


def test_a_system_that_cannot_be_told_is_noticed(stack: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as alone:
        # The kernel refuses it for a listener that shares its address with nobody.
        assert not take_new_connections(alone)
        assert not take_port(port_of(alone))
    assert take_port(port_of(listener(stack)))


def test_open_connections_are_counted(stack: ExitStack) -> None:
    server = listener(stack)
    port = port_of(server)
    assert open_connections(port) == 0
    for expected in (1, 2):
        stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        server.setblocking(True)
        stack.enter_context(closing(server.accept()[0]))
        assert open_connections(port) == expected
    stack.close()
    assert open_connections(port) == 0


def test_connections_end_and_what_was_sent_arrives(stack: ExitStack) -> None:
    server = listener(stack)
    server.setblocking(True)
    port = port_of(server)
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    accepted_one = stack.enter_context(server.accept()[0])
    accepted_one.sendall(b"all of it")
    end_connections(port)
    assert client.makefile("rb").read() == b"all of it"
    # Nobody is turned away by it, and what has ended may be ended again.
    stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    end_connections(port)


def test_counting_connections_opens_and_closes_nothing(stack: ExitStack, tmp_path: Path) -> None:
    port = port_of(listener(stack))
    stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
    with (tmp_path / "no socket").open("w"):
        before = set(Path("/proc/self/fd").iterdir())
        for _ in range(3):
            open_connections(port)
        assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]"])
def test_an_address_is_taken_while_somebody_listens_there(stack: ExitStack, host: str) -> None:
    one = listener(stack, host=host.strip("[]"))
    address = f"{host}:{port_of(one)}"
    assert is_taken(address)
    one.close()
    assert not is_taken(address)


def test_an_address_with_nothing_but_ended_connections_is_free(stack: ExitStack) -> None:
    one = listener(stack)
    # As gRPC's listeners are.
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setblocking(True)
    address, port = f"127.0.0.1:{port_of(one)}", port_of(one)
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    accepted_one, _ = one.accept()
    # Who closes first keeps the address for a minute.
    accepted_one.close()
    one.close()
    client.close()
    assert not is_taken(address)
