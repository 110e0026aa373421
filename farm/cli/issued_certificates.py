"""The certificates of a farm that this machine knows: what `farm certs` lists and revokes."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.contexts import FarmFolder


def kept_certificates(folder: "FarmFolder") -> list[tuple[str, Path]]:
    """Return what is kept of a farm's certificates, each with what it is."""
    from farm.pki import CA_FILE

    files = [("CA", folder.authority / CA_FILE), ("operator here", folder.operator_certificate)]
    files += [("issued", path) for path in sorted(folder.issued.glob("*.pem"))]
    return [(what, path) for what, path in files if path.exists()]
