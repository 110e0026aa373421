"""A model's config as its author wrote it: config.pbtxt, or the JSON of a load request."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format, text_format

from farm.core.errors import ConfigurationError
from farm.pb.model_config_pb2 import ModelConfig
from farm.pb.pool import POOL
from farm.repository.names import shown

CONFIG_FILENAME: Final = "config.pbtxt"
MAX_CONFIG_BYTES: Final = 1 << 20

# What stands in a string or behind a # is not a field.
_MENTION: Final = re.compile(
    r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\b(max_batch_size)\b""", re.DOTALL
)
_FIELD_LIST: Final = re.compile(r"\s*Available Fields\(except extensions\).*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredConfig:
    """A config, where it came from, and whether it says anything of `max_batch_size`.

    `where` opens every message about it. A message of protobuf cannot tell a zero that
    was written from one that was left out, and the two differ here.
    """

    where: str
    message: ModelConfig
    states_max_batch_size: bool


def parse_text(data: bytes, *, where: str) -> DeclaredConfig:
    """Read a config in protobuf's text format.

    Raises:
        ConfigurationError: it is none; the message has line and column of a syntax error.
    """
    _check_size(len(data), where)
    try:
        # Triton skips a byte order mark too.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        raise ConfigurationError(
            f"{where}, line {line}, column {column}: the text is not UTF-8; save the file as UTF-8"
        ) from error
    message = ModelConfig()
    try:
        text_format.Parse(text, message, descriptor_pool=POOL)
    except text_format.ParseError as error:
        raise ConfigurationError(_text_problem(error, where)) from error
    stated = any(found.group(1) for found in _MENTION.finditer(text))
    return DeclaredConfig(where=where, message=message, states_max_batch_size=stated)


def parse_json(text: str, *, where: str) -> DeclaredConfig:
    """Read a config in JSON, with names of fields in either spelling.

    Raises:
        ConfigurationError: it is none; the message names the field.
    """
    _check_size(len(text), where)
    message = ModelConfig()
    try:
        value: Any = json.loads(text)
        if not isinstance(value, dict):
            raise ConfigurationError(
                f'{where} must be a JSON object, such as {{"max_batch_size": 8}}; send one'
            )
        json_format.Parse(text, message, descriptor_pool=POOL)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        what = _FIELD_LIST.sub("", str(error)).rstrip(". ")
        raise ConfigurationError(f"{where}: {shown(what)}; correct it and send it again") from error
    stated = not value.keys().isdisjoint({"max_batch_size", "maxBatchSize"})
    return DeclaredConfig(where=where, message=message, states_max_batch_size=stated)


def _check_size(size: int, where: str) -> None:
    if size > MAX_CONFIG_BYTES:
        raise ConfigurationError(
            f"{where} is larger than {MAX_CONFIG_BYTES} bytes; a config describes a model, so"
            " keep data out of it"
        )


def _text_problem(error: text_format.ParseError, where: str) -> str:
    """Say where and what a syntax error is; protobuf puts the position in front itself."""
    line, column = error.GetLine(), error.GetColumn()
    what = str(error)
    if line is None or column is None:
        return f"{where}: {shown(what)}; correct the file"
    what = what.removeprefix(f"{line}:{column} : ").rstrip(".")
    return f"{where}, line {line}, column {column}: {shown(what)}; correct it there"
