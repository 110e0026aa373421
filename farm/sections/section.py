"""What every part of a configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Part of a file: immutable, and without keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
