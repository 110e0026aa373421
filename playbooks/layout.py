"""Where everything of the farm lies on a host."""

from typing import Final

USER: Final = "farm"
HOME: Final = "/var/lib/farm"
SOFTWARE: Final = "/opt/farm"
SETTINGS: Final = "/etc/farm"
UNITS: Final = "/etc/systemd/system"

RELEASES: Final = f"{SOFTWARE}/releases"
WHEELS: Final = f"{SOFTWARE}/wheels"
DEBS: Final = f"{SOFTWARE}/debs"
STAMP: Final = f"{SOFTWARE}/stamp.sh"

TLS: Final = f"{SETTINGS}/tls"
CA: Final = f"{TLS}/ca.pem"
CERTIFICATE: Final = f"{TLS}/cert.pem"
KEY: Final = f"{TLS}/key.pem"
REVOCATIONS: Final = f"{TLS}/crl.pem"
RAY_TOKEN: Final = f"{SETTINGS}/ray-token"
TOKENS: Final = f"{SETTINGS}/tokens.json"
FIREWALL: Final = f"{SETTINGS}/firewall.nft"

NODE_CONFIG: Final = f"{SETTINGS}/node.yaml"
BASELINES: Final = f"{SETTINGS}/baselines.toml"

# Ray's logs and sockets, kept off the SD card; short, as Ray's sockets need a short path.
RAY: Final = f"{HOME}/ray"
NODE: Final = f"{HOME}/node"
GATEWAY: Final = f"{HOME}/gateway"
GCS: Final = f"{HOME}/gcs"

# Services read it and may not write there.
MODELS: Final = f"{SOFTWARE}/models"

# Made by the node when somebody cordons it, and by a rollout when that somebody is the rollout.
CORDONED: Final = f"{NODE}/cordoned"
DRAINED: Final = f"{SETTINGS}/drained-for-rollout"

# Which of two instances of a service: an upgrade starts the other one beside the first.
LETTERS: Final = ("a", "b")


def head_config(letter: str) -> str:
    return f"{SETTINGS}/head-{letter}.yaml"


def gateway_config(letter: str) -> str:
    return f"{SETTINGS}/gateway-{letter}.yaml"


def release(name: str) -> str:
    """Return the folder of a release: a virtual environment, whole once `.complete` is there."""
    return f"{RELEASES}/{name}"


def complete(name: str) -> str:
    return f"{release(name)}/.complete"


def link(service: str) -> str:
    """Return the symbolic link to the release that a service runs: `node`, `head-a`, ..."""
    return f"{SOFTWARE}/{service}"
