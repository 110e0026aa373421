"""The hosts of a farm, read from one YAML file and checked once, at the edge."""

from farm.inventory.model import (
    EmbeddedSettings,
    FarmSettings,
    GatewaySettings,
    Host,
    Inventory,
    Role,
    Tls,
)
from farm.inventory.reading import load_inventory
from farm.inventory.schema import schema

__all__ = [
    "EmbeddedSettings",
    "FarmSettings",
    "GatewaySettings",
    "Host",
    "Inventory",
    "Role",
    "Tls",
    "load_inventory",
    "schema",
]
