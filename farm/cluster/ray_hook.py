"""What is changed in Ray's parameters, in the process of `ray start` before it starts anything."""

from typing import Any


def without_client_server(parameters: Any, _head: bool) -> None:
    """Do not start the server for Ray clients: no option of `ray start` leaves it out.

    It would listen on every address, in a process of 60 MB that nobody uses.
    """
    parameters.ray_client_server_port = None
