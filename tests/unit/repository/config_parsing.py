"""Reading configs of a model "digits" whose folder has no files."""

import json
from pathlib import Path
from typing import Any

import pytest

from farm.core.errors import ConfigurationError, FarmError, UnsupportedError
from farm.repository.config_text import parse_json, parse_text
from farm.repository.model_config import ModelSettings, read_settings

NOWHERE = Path("/no/such/folder")


def parse(text: str | bytes) -> ModelSettings:
    data = text.encode() if isinstance(text, str) else text
    return read_settings(parse_text(data, where="digits/config.pbtxt"), NOWHERE, "digits")


def parse_object(value: Any) -> ModelSettings:
    text = value if isinstance(value, str) else json.dumps(value)
    return read_settings(parse_json(text, where="the config sent"), NOWHERE, "digits")


def refusal(text: str | bytes) -> str:
    with pytest.raises(FarmError) as caught:
        parse(text)
    assert isinstance(caught.value, ConfigurationError | UnsupportedError)
    assert caught.value.message.startswith("digits/config.pbtxt")
    return caught.value.message
