"""Whether a part of Ray on this machine or another one serves this machine."""

import socket
import ssl

from farm.core.host_tls import HostTls

# gRPC servers hang up on who does not say that he speaks HTTP/2.
_PROTOCOLS = ("h2",)


def obstacle(tls: HostTls, host: str, port: int, *, within_s: float) -> str:
    """Say what keeps Ray at this address from serving this machine; nothing where it serves.

    A port that is open proves little: the kernel takes connections for a process that hangs.
    """
    try:
        with (
            socket.create_connection((host, port), timeout=within_s) as peer,
            tls.calling(_PROTOCOLS).wrap_socket(peer, server_hostname=host) as encrypted,
        ):
            # A server that refuses this machine's certificate says so only after the handshake.
            encrypted.recv(1)
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is refused: {error.verify_message.rstrip('.')}"
    except ssl.SSLError as error:
        return f"the encrypted connection fails: {error.reason or 'it was ended'}"
    except TimeoutError:
        return f"it does not answer within {within_s:g} s"
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
