"""Names of classes: one a line, in the file that an output's `label_filename` names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from farm.core.errors import ConfigurationError
from farm.pb.model_config_pb2 import ModelConfig
from farm.repository.files import read_bounded
from farm.repository.names import path_problem, shown

MAX_LABEL_BYTES: Final = 1 << 20


def read_labels(
    root: Path, model: str, config: ModelConfig, where: str
) -> Mapping[str, tuple[str, ...]]:
    """Return the names of each output that has some; the n-th line names the n-th class.

    Raises:
        ConfigurationError: a file is missing, or is not UTF-8.
        ModelUnavailableError: a file is too large, a link, or otherwise not to be read.
    """
    labels: dict[str, tuple[str, ...]] = {}
    for index, output in enumerate(config.output):
        filename = output.label_filename
        if not filename:
            continue
        place = f"{where}: output[{index}].label_filename"
        if problem := path_problem(filename):
            raise ConfigurationError(
                f"{place} is '{shown(filename)}', which cannot be a file's name: {problem}"
                " (correct it)"
            )
        path = f"{model}/{filename}"
        try:
            text = read_bounded(root, path, MAX_LABEL_BYTES).decode("utf-8-sig")
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"{place} is '{shown(filename)}', but there is no file {shown(path)}; add it"
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{shown(path)} is not UTF-8; save the file as UTF-8, one name a line"
            ) from error
        # Only line feeds end a line: a name may hold whatever else Unicode calls a separator.
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        labels[output.name] = tuple(line.removesuffix("\r") for line in lines)
    return labels
