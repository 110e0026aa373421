"""An inventory as its file has it: before ranges are expanded and defaults applied."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from farm.inventory.model import FarmSettings, HostSettings, Role
from farm.sections.section import Section

HostNames = Annotated[
    str, Field(description="a name, or several as a range like pi-[01:16]", max_length=200)
]


class HostForm(HostSettings):
    """A host, or as many as the ranges in its name and its address have members."""

    address: Annotated[
        str,
        Field(
            max_length=300,
            description="IP address or DNS name; with ranges, as many as the name has",
        ),
    ]
    role: Annotated[
        Role, Field(description="head: gateway and Ray's head; node: serves models; both: both")
    ] = Role.NODE


class InventoryForm(Section):
    """The hosts of a farm and what the farm is to be."""

    farm: FarmSettings
    defaults: Annotated[HostSettings, Field(description="of every host")] = HostSettings()
    hosts: Annotated[Mapping[HostNames, HostForm], Field(description="by name")] = {}
