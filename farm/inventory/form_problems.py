"""What pydantic finds wrong with a section, in the words of the file's author."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from farm.core.suggestions import nearest
from farm.core.text import printable
from farm.inventory.words import PATTERN_MEANINGS
from farm.inventory.yaml_tree import Key, Tree
from farm.sections.problems import REASONS, section_at, unknown_key
from farm.sections.words import HoldsSecretError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def blame(tree: Tree, form: type[BaseModel], error: ValidationError, *, at: Key) -> None:
    """Note every problem of the section at a key, which is read as `form`."""
    for problem in error.errors():
        # Pydantic marks what is wrong with a mapping's key so; the key says it already.
        place = tuple(part for part in problem["loc"] if part != "[key]")
        tree.blame((*at, *place), _reason(form, problem, place))


def _reason(form: type[BaseModel], problem: "ErrorDetails", place: Key) -> str:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(str(place[-1]), section_at(form, place[:-1]))
    if kind == "missing":
        return REASONS[kind]
    if kind == "value_error":
        reason = str(context["error"])
        if isinstance(context["error"], HoldsSecretError):
            return reason
    elif kind == "string_pattern_mismatch":
        reason = PATTERN_MEANINGS[context["pattern"]]
    else:
        reason = REASONS.get(kind, problem["msg"]).format_map(context)
    if isinstance(given, str):
        known = context.get("expected", "").replace(" or ", ", ").replace("'", "").split(", ")
        return f"{reason}, not '{printable(given)}'{nearest(given, known)}"
    return f"{reason}, not empty" if given is None else reason
