"""What must be so before Ray starts on a machine; without it Ray dies late and says little."""

import os
import shutil
import socket
import ssl
from threading import Thread
from time import time

from farm.cluster.machine import Machine
from farm.cluster.refusals import RefusalCode, RefusalError
from farm.cluster.time_floor import TimeFloor
from farm.core.host_tls import machine_of, shown_to_itself

# Ray's parts look the name up again and again as they start: a slow answer is none.
_RESOLVE_S = 5.0

# What the head's tables need of a disk at least to be opened.
_TABLES_BYTES = 16 << 20

# OpenSSL's number for a certificate that is valid later (X509_V_ERR_CERT_NOT_YET_VALID).
_NOT_YET_VALID = 9


def check_name() -> None:
    """Refuse a machine that cannot resolve its own host name.

    Raises:
        RefusalError: it cannot, or not soon enough.
    """
    name = socket.gethostname()
    found: list[object] = []

    def resolve() -> None:
        try:
            found.extend(socket.getaddrinfo(name, None))
        except OSError:
            return

    # The system's resolver takes no bound, and waits for absent servers for a long time.
    resolver = Thread(target=resolve, daemon=True)
    resolver.start()
    resolver.join(_RESOLVE_S)
    if not found:
        raise RefusalError(
            RefusalCode.NAME,
            f"this machine's own name '{name}' does not resolve within {_RESOLVE_S:g} s, and Ray"
            f" cannot start without; add the line `127.0.1.1 {name}` to /etc/hosts",
        )


def clock_fault(machine: Machine, floor: TimeFloor) -> str:
    """Say how this machine's clock is wrong for certain; nothing where it may be right."""
    if time() < floor.read():
        return (
            "it is behind a time that this machine has seen before (if that was wrong, remove"
            f" {floor.file})"
        )
    try:
        shown_to_itself(machine.tls, machine.address)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _NOT_YET_VALID:
            return "it is behind the time at which the farm's certificates were issued"
    except OSError:
        # Other faults of certificates are told apart by `check_certificate`.
        return ""
    return ""


def check_certificate(machine: Machine) -> None:
    """Refuse a certificate that the farm's other machines would refuse.

    Raises:
        RefusalError: they would.
    """
    renew = "run `farm bootstrap` again, which issues it anew"
    try:
        certificate = shown_to_itself(machine.tls, machine.address)
    except ssl.SSLCertVerificationError as error:
        raise RefusalError(
            RefusalCode.CERTIFICATE,
            f"the farm's other machines will refuse {machine.certificate}:"
            f" {error.verify_message.rstrip('.')}; {renew}",
        ) from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise RefusalError(
            RefusalCode.CERTIFICATE,
            f"{machine.certificate}, its key or {machine.ca} cannot be used ({reason}); {renew}",
        ) from error
    holder = machine_of(certificate)
    if holder != machine.name:
        whose = f"the machine '{holder}'" if holder else "no machine of a farm"
        raise RefusalError(
            RefusalCode.CERTIFICATE,
            f"{machine.certificate} was issued to {whose}, and this is '{machine.name}'; {renew}",
        )


def clear_folder(machine: Machine) -> None:
    """Remove what an earlier run left of Ray's files, and make the folder anew.

    Raises:
        RefusalError: it cannot be removed or made.
    """
    folder = machine.temp_dir
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700, parents=True)
        if machine.gcs_dir is not None:
            machine.gcs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RefusalError(
            RefusalCode.FOLDER,
            f"{error.filename or folder} cannot be cleared or made for Ray ({error.strerror});"
            " free or repair it",
        ) from error


def check_room(machine: Machine) -> None:
    """Refuse a head whose disk is full: its tables could not be opened, and Ray tells no reason.

    Raises:
        RefusalError: it is.
    """
    if machine.gcs_dir is None:
        return
    free_bytes = shutil.disk_usage(machine.gcs_dir).free
    if free_bytes < _TABLES_BYTES:
        raise RefusalError(
            RefusalCode.FOLDER,
            f"{machine.gcs_dir}, where the cluster's tables are, has {free_bytes >> 20} MB left and"
            f" they need {_TABLES_BYTES >> 20} MB: its disk is full; `sudo du -xh --max-depth=2 / |"
            " sort -h | tail` shows what takes it, and the head starts once there is room",
        )


def check_ports(machine: Machine) -> None:
    """Refuse a machine where another program has one of Ray's fixed ports.

    Raises:
        RefusalError: one has.
    """
    ports = machine.ports
    wanted = [ports.node_manager, ports.object_manager, ports.dashboard_agent_grpc]
    wanted += [ports.dashboard_agent_listen, ports.runtime_env_agent, ports.metrics_export]
    wanted += [ports.gcs] if machine.gcs_dir is not None else []
    wanted += [ports.batches] if machine.serves else []
    family = socket.AF_INET6 if ":" in machine.address else socket.AF_INET
    for port in wanted:
        try:
            socket.create_server((machine.address, port), family=family).close()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise RefusalError(
                RefusalCode.PORT,
                f"port {port} of {machine.address}, which Ray needs, cannot be had ({reason});"
                f" `ss -ltnp sport = {port}` shows which program has it",
            ) from error
