"""YAML as nested mappings, lists and text, with the line of everything in it.

Scalars stay the text that the file has: what they are is the reader's business, so that
`name: no`, `rack: 010` and `tls: off` mean what they say. Only an empty value is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from farm.core.errors import ConfigurationError
from farm.core.text import printable
from farm.inventory.problems import Problem, refusal

MAX_BYTES: Final = 1 << 20
# Values after aliases are followed, and levels: a few lines of YAML can stand for billions.
MAX_VALUES: Final = 100_000
MAX_DEPTH: Final = 32

Key: TypeAlias = tuple[str | int, ...]

_STANDARD: Final = "tag:yaml.org,2002:"
_NULL, _MERGE = f"{_STANDARD}null", f"{_STANDARD}merge"
# What PyYAML gives what has no tag.
_PLAIN = frozenset(
    f"{_STANDARD}{kind}"
    for kind in ("bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp", "value")
)


@dataclass(slots=True)
class Tree:
    """A file's content; `lines` has where each key stands, from 1."""

    file: str
    content: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, key: Key) -> int | None:
        """Return the line of a key, or of the innermost one around it that the file has."""
        for length in range(len(key), -1, -1):
            if found := self.lines.get(key[:length]):
                return found
        return None

    def blame(self, key: Key, reason: str) -> None:
        """Note a problem with what stands at a key."""
        self.problems.append(Problem(self.line(key), dotted(key), reason))


def dotted(key: Key) -> str:
    """Return a key as messages spell it, like `hosts.pi-01.labels` or `names[0]`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_text(path: Path) -> str:
    """Return a file's text.

    Raises:
        ConfigurationError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{printable(str(path))} is no path: {error}") from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_BYTES} bytes: is it an inventory?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refusal(
            str(path), [Problem(line, "", "is not UTF-8; save the file as UTF-8")]
        ) from error


def read_tree(text: str, *, file: str, foreign_tags: bool = False) -> Tree:
    """Return the content of a YAML text; duplicate keys and the like are among its problems.

    With `foreign_tags` a tag such as `!vault` is taken no notice of.

    Raises:
        ConfigurationError: it is not YAML, or stands for more than an inventory can be.
    """
    tree = Tree(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            tree.lines[()] = root.start_mark.line + 1
            tree.content = _Reader(tree, foreign_tags).value(root, ())
    except yaml.MarkedYAMLError as error:
        raise refusal(file, [_syntax(error, text)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reason = f"has the character {error.character!r:.8}, which YAML does not allow"
        raise refusal(file, [Problem(line, "", reason)]) from error
    except RecursionError as error:
        raise refusal(file, [Problem(None, "", "is nested too deeply")]) from error
    # An escape such as "\\UFFFFFFFF" is no character, which PyYAML leaves to `chr`.
    except (ValueError, OverflowError) as error:
        raise refusal(file, [Problem(None, "", f"is not YAML: {error}")]) from error
    return tree


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    if mark and text[mark.index : mark.index + 1] == "\t":
        reason = "there is a tab where spaces belong"
    line = mark.line + 1 if mark else None
    return Problem(line, "", f"is not YAML: {printable(reason, 160)}")


class _Reader:
    def __init__(self, tree: Tree, foreign_tags: bool) -> None:
        self._tree = tree
        self._foreign_tags = foreign_tags
        self._values = 0

    def value(self, node: yaml.Node, key: Key) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or len(key) > MAX_DEPTH:
            raise refusal(
                self._tree.file,
                [
                    Problem(
                        node.start_mark.line + 1,
                        dotted(key[:4]),
                        f"there are more than {MAX_VALUES} values or {MAX_DEPTH} levels here, with"
                        " its aliases followed",
                    )
                ],
            )
        if not self._foreign_tags and node.tag not in _PLAIN:
            self._tree.blame(key, f"has the tag {printable(node.tag)}; write the plain value")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return self._list(node.value, key)
        return None if node.tag == _NULL else node.value

    def _list(self, items: Sequence[yaml.Node], key: Key) -> list[Any]:
        values = []
        for place, item in enumerate(items):
            inner = (*key, place)
            self._tree.lines.setdefault(inner, item.start_mark.line + 1)
            values.append(self.value(item, inner))
        return values

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        """Return a mapping: what it takes in by `<<`, and over it what it says itself."""
        values: dict[str, Any] = {}
        for name_node, value_node in reversed(node.value):
            if name_node.tag == _MERGE:
                values |= self._merged(value_node, key)
        own: set[str] = set()
        for name_node, value_node in node.value:
            if name_node.tag == _MERGE:
                continue
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self._tree.problems.append(Problem(line, dotted(key), "has a key that is no word"))
                continue
            name = name_node.value
            inner = (*key, name)
            if name in own:
                reason = f"stands in line {self._tree.lines[inner]} already"
                self._tree.problems.append(Problem(line, dotted(inner), reason))
                continue
            own.add(name)
            self._tree.lines[inner] = line
            values[name] = self.value(value_node, inner)
        return values

    def _merged(self, node: yaml.Node, key: Key) -> dict[str, Any]:
        """Return what `<<` takes in; of several mappings the first one wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values: dict[str, Any] = {}
        for source in reversed(sources):
            if isinstance(below := self.value(source, key), dict):
                values |= below
            else:
                self._tree.blame(key, "takes in with << what is no mapping")
        return values
