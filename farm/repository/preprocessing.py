"""The JSON of a `farm.preprocessing.<input>` parameter, as a config declares it."""

from farm.core.errors import ConfigurationError
from farm.core.preprocessing import parse, to_json


def preprocessing_json(text: str, *, where: str) -> str:
    """Return a declaration as JSON with every key written out.

    Raises:
        ConfigurationError: it is not of the grammar; the message names the key.
    """
    try:
        return to_json(parse(text))
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error.message}") from error
