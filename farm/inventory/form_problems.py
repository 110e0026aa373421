"""What pydantic finds wrong with a section, in the words of the file's author."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from farm.core.text import printable
from farm.inventory.problems import nearest
from farm.inventory.words import PATTERN_MEANINGS
from farm.inventory.yaml_tree import Key, Tree
from farm.sections.problems import keys, section_at
from farm.sections.words import HoldsSecretError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_REASONS: Mapping[str, str] = {
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


def blame(tree: Tree, form: type[BaseModel], error: ValidationError, *, at: Key) -> None:
    """Note every problem of the section at a key, which is read as `form`."""
    for problem in error.errors():
        # Pydantic marks what is wrong with a mapping's key so; the key says it already.
        place = tuple(part for part in problem["loc"] if part != "[key]")
        tree.blame((*at, *place), _reason(form, problem, place))


def unknown_key(key: str, form: type[BaseModel]) -> str:
    """Return what is said of a key that a section does not have."""
    known = keys(form)
    return f"there is no such key{nearest(key, known) or '; known are ' + ', '.join(known)}"


def _reason(form: type[BaseModel], problem: "ErrorDetails", place: Key) -> str:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(str(place[-1]), section_at(form, place[:-1]))
    if kind == "missing":
        return _REASONS[kind]
    if kind == "value_error":
        reason = str(context["error"])
        if isinstance(context["error"], HoldsSecretError):
            return reason
    elif kind == "string_pattern_mismatch":
        reason = PATTERN_MEANINGS[context["pattern"]]
    else:
        reason = _REASONS.get(kind, problem["msg"]).format_map(context)
    if isinstance(given, str):
        known = context.get("expected", "").replace(" or ", ", ").replace("'", "").split(", ")
        return f"{reason}, not '{printable(given)}'{nearest(given, known)}"
    return f"{reason}, not empty" if given is None else reason
