"""The parameters of a config whose names begin with `farm.`: what only this farm knows."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from farm.core.errors import ConfigurationError
from farm.core.models import Objective
from farm.repository.names import shown
from farm.repository.preprocessing import preprocessing_json
from farm.repository.versions import version_number

PREFIX: Final = "farm."
ABI_PARAMETER: Final = "farm.abi"
OBJECTIVE_PARAMETER: Final = "farm.optimize"

_PREPROCESSING: Final = "farm.preprocessing."
_ABI: Final = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.(0|[1-9][0-9]{0,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmParameters:
    """What a config says to the farm alone.

    An ABI is "MAJOR.MINOR": the contract between a model and its callers. `preprocessing`
    is by input, as JSON with every key written out. `objective` is what the split of a
    node's cores is chosen by.
    """

    abi: str = ""
    abi_by_version: Mapping[int, str] = field(default_factory=dict)
    preprocessing: Mapping[str, str] = field(default_factory=dict)
    objective: Objective = Objective.THROUGHPUT


def farm_parameters(
    parameters: Mapping[str, str], *, inputs: Collection[str], where: str
) -> FarmParameters:
    """Read the parameters that begin with `farm.`; `inputs` are those declared, if any are.

    Raises:
        ConfigurationError: a name is unknown, which may be a typing error, or a value is
            wrong; the message names the parameter.
    """
    abi = ""
    abi_by_version: dict[int, str] = {}
    preprocessing: dict[str, str] = {}
    objective = Objective.THROUGHPUT
    for name, value in parameters.items():
        if not name.startswith(PREFIX):
            continue
        place = f"{where}: parameters['{shown(name)}']"
        if name == ABI_PARAMETER:
            abi = parse_abi(value, where=place)
        elif name.startswith(f"{ABI_PARAMETER}."):
            version = version_number(name.removeprefix(f"{ABI_PARAMETER}."))
            if version is None:
                raise ConfigurationError(
                    f"{place} names no version; write {ABI_PARAMETER}.<version>, such as"
                    f" {ABI_PARAMETER}.2"
                )
            abi_by_version[version] = parse_abi(value, where=place)
        elif name.startswith(_PREPROCESSING):
            tensor = name.removeprefix(_PREPROCESSING)
            if not tensor or (inputs and tensor not in inputs):
                known = shown(", ".join(inputs)) or "none declared"
                raise ConfigurationError(
                    f"{place} names no input of the model (inputs: {known}); correct the name"
                )
            preprocessing[tensor] = preprocessing_json(value, where=place)
        elif name == OBJECTIVE_PARAMETER:
            objective = _objective(value, where=place)
        else:
            raise ConfigurationError(
                f"{place} is unknown; the farm knows {ABI_PARAMETER}, {ABI_PARAMETER}.<version>,"
                f" {OBJECTIVE_PARAMETER} and {_PREPROCESSING}<input>, so correct or remove it"
            )
    return FarmParameters(
        abi=abi,
        abi_by_version=abi_by_version,
        preprocessing=preprocessing,
        objective=objective,
    )


def _objective(text: str, *, where: str) -> Objective:
    try:
        return Objective(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{where} is '{shown(text)}'; write {' or '.join(Objective)}"
        ) from error


def parse_abi(text: str, *, where: str) -> str:
    """Return an ABI as "MAJOR.MINOR"; a major number alone stands for its minor 0.

    Raises:
        ConfigurationError: it is neither.
    """
    found = _ABI.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f"{where} is '{shown(text)}'; an ABI is MAJOR or MAJOR.MINOR in digits without"
            " leading zeros, such as 2.1"
        )
    return f"{found[1]}.{found[2] or 0}"
