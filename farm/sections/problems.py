"""What pydantic finds wrong with a file, and where in its form that is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from farm.core.suggestions import nearest
from farm.sections.words import HoldsSecretError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# What is said of each kind of problem, for whoever does not know pydantic.
REASONS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "string_unicode": "must be text in Unicode",
    "path_type": "must be a path",
    "enum": "must be {expected}",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "too_long": "must have at most {max_length}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}


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


def unknown_key(key: str, form: type[BaseModel], what: str = "key") -> str:
    """Return what is said of a key that a section does not have."""
    known = keys(form)
    return f"there is no such {what}{nearest(key, known) or '; known are ' + ', '.join(known)}"


def reason(problem: "ErrorDetails") -> str:
    """Return what is wrong with a value, and the value unless it holds a secret."""
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "missing":
        return REASONS[kind]
    if kind == "value_error":
        said = str(context["error"])
        if isinstance(context["error"], HoldsSecretError):
            return said
    else:
        said = REASONS[kind].format_map(context) if kind in REASONS else problem["msg"]
    if isinstance(given, Mapping | list | tuple):
        return said
    known = context.get("expected", "").replace(" or ", ", ").replace("'", "").split(", ")
    near = nearest(given, known) if isinstance(given, str) else ""
    return f"{said}, not {given!r:.60}{near}"
