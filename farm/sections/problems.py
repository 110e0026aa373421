"""What pydantic finds wrong with a file, and where in its form that is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from farm.sections.words import HoldsSecretError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def keys(form: type[BaseModel]) -> list[str]:
    """Return the keys of a section as files spell them."""
    return [field.alias or name for name, field in form.model_fields.items()]


def section_at(form: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """Return the form of a section within a form, by the keys and list indexes that lead there."""
    for part in place:
        if isinstance(part, str):
            fields = form.model_fields.items()
            found = next(field for name, field in fields if part in (name, field.alias))
            form = next(_sections(found.annotation))
    return form


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)


def reason(problem: "ErrorDetails") -> str:
    """Return what is wrong with a value, and the value unless it holds a secret."""
    given = problem["input"]
    if problem["type"] == "missing":
        return "is missing"
    said = problem["msg"]
    if problem["type"] == "value_error":
        error = problem["ctx"]["error"]
        if isinstance(error, HoldsSecretError):
            return str(error)
        said = str(error)
    return said if isinstance(given, Mapping | list | tuple) else f"{said}, not {given!r:.60}"
