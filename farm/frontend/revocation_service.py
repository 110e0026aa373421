"""The part of `farm.v1.FarmAdmin` that lets certificates in no more."""

import asyncio
from typing import TYPE_CHECKING

from farm.core.errors import UnsupportedError
from farm.frontend.grpc_types import Context
from farm.pb import farm_admin_pb2 as pb

if TYPE_CHECKING:
    from farm.frontend.certificates import Certificates


class RevocationService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(self, certificates: "Certificates | None") -> None:
        """Serve a gateway of which no address asks for certificates where they are None."""
        self._certificates = certificates

    async def Revoke(  # noqa: N802
        self, request: pb.RevokeRequest, _context: Context
    ) -> pb.RevokeResponse:
        if self._certificates is None:
            raise UnsupportedError(
                "this gateway asks nobody for a certificate, so none can be kept out; set tls, or"
                " operators, in its configuration"
            )
        in_force = self._certificates.take(request.list_pem)
        # An SD card may take seconds over that.
        await asyncio.to_thread(self._certificates.keep)
        return pb.RevokeResponse(revoked=len(in_force.revocations))
