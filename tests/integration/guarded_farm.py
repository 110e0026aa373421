"""A farm with mutual TLS, and the operator's machine that has its CA."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from farm_process import FarmProcess

from farm.client import ClientTls
from farm.contexts import Context, FarmHome
from farm.core.identities import Identity, IdentityKind
from farm.core.private_files import PRIVATE, replace_file
from farm.pki import CA_FILE, Authority

COMMAND_TIMEOUT_S = 120.0


class GuardedFarm:
    """`farm up` that asks everybody for a certificate, with the home of the one who issues them."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.authority = authority
        self.home = FarmHome(folder / "home")
        self._folder = folder
        self.own = self.home.folder(authority.farm)
        authority.save(self.own.authority)
        self.certificate = folder / "gateway.pem"
        self.key = folder / "gateway-key.pem"
        self.published = folder / "crl.pem"
        self.renew_gateway()
        config = {
            "name": authority.farm,
            "tls": {
                "certificate": str(self.certificate),
                "key": str(self.key),
                "ca": str(self.own.authority / CA_FILE),
            },
            "revocations": str(self.published),
        }
        file = folder / "farm.yaml"
        # JSON is YAML too.
        file.write_text(json.dumps(config))
        self.process = FarmProcess(folder, "--config", str(file), "--nodes", "1")
        self.admin = self.issue(IdentityKind.ADMIN, "ann")

    @property
    def address(self) -> str:
        return self.process.grpc

    def connect(self) -> None:
        """Have the operator's commands go to where the farm listens now."""
        self.home.write(
            Context(
                farm=self.authority.farm,
                address=self.address,
                ca=self.admin.ca,
                certificate=self.admin.certificate,
                key=self.admin.key,
            )
        )
        self.home.use(self.authority.farm)

    def renew_gateway(self) -> None:
        issued = self.authority.issue(
            Identity(self.authority.farm, IdentityKind.NODE, "gateway"),
            now=datetime.now(UTC),
            addresses=["127.0.0.1"],
        )
        replace_file(self.key, issued.key_pem, mode=PRIVATE)
        replace_file(self.certificate, issued.certificate_pem)

    def issue(
        self,
        kind: IdentityKind,
        name: str,
        *,
        authority: Authority | None = None,
        now: datetime | None = None,
        **issued: Any,
    ) -> ClientTls:
        """Return what somebody shows; of this farm's CA it is among those that it has issued."""
        by = authority or self.authority
        made = by.issue(Identity(by.farm, kind, name), now=now or datetime.now(UTC), **issued)
        folder = self._folder / "others" / f"{len(list(self._folder.glob('others/*')))}-{name}"
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        replace_file(key, made.key_pem, mode=PRIVATE)
        replace_file(certificate, made.certificate_pem)
        if authority is None:
            replace_file(self.own.issued / f"{folder.name}.pem", made.certificate_pem)
        return ClientTls(ca=self.own.authority / CA_FILE, certificate=certificate, key=key)

    def channel(self, tls: ClientTls) -> grpc.Channel:
        """Open a connection of its own: gRPC shares those of equal channels."""
        credentials = grpc.ssl_channel_credentials(
            tls.ca.read_bytes(),
            None if tls.key is None else tls.key.read_bytes(),
            None if tls.certificate is None else tls.certificate.read_bytes(),
        )
        return grpc.secure_channel(
            self.address, credentials, options=[("grpc.use_local_subchannel_pool", 1)]
        )

    def farm(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the machine that has the CA."""
        return subprocess.run(
            [sys.executable, "-m", "farm", *arguments],
            env={**os.environ, "FARM_HOME": str(self.home.path)},
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
