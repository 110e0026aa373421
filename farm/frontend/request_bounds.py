"""Whether a request that was read keeps to the limits; what it is refused with if not."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from farm.core.errors import ExecutionFailedError, InvalidRequestError
from farm.core.tensors import LENGTH_PREFIX_BYTES, Tensor, string_spans
from farm.core.text import printable
from farm.frontend.limits import Limits
from farm.pb.open_inference_pb2 import InferParameter, ModelInferRequest

# No limit of these is exceeded by a request of so many bytes: it has no room for as many
# characters, and an input, an output or a parameter with a name of its own takes two, two and
# five at least. So most requests are not looked through.
_HARMLESS_BYTES: Final = 1_024


def check_bounds(request: ModelInferRequest, limits: Limits) -> None:
    """Check how many things a request has, and how long their names and texts are.

    Raises:
        InvalidRequestError: it exceeds a limit; the message names both.
    """
    if request.ByteSize() <= _HARMLESS_BYTES:
        return
    _length("the request's id", request.id, limits.max_id_chars)
    _length("the model's name", request.model_name, limits.max_name_chars)
    _length("the model's version", request.model_version, limits.max_name_chars)
    for what, count, most in (
        ("inputs", len(request.inputs), limits.max_inputs),
        ("outputs", len(request.outputs), limits.max_outputs),
    ):
        if count > most:
            raise InvalidRequestError(f"the request has {count} {what}, and {most} are allowed")
    _parameters("the request", request.parameters, limits)
    for given in request.inputs:
        _length("an input's name", given.name, limits.max_name_chars)
        if given.parameters:
            _parameters(f"input '{_shown(given.name)}'", given.parameters, limits)
    for wanted in request.outputs:
        _length("an output's name", wanted.name, limits.max_name_chars)
        if wanted.parameters:
            _parameters(f"output '{_shown(wanted.name)}'", wanted.parameters, limits)


def check_shape(name: str, shape: tuple[int, ...], limits: Limits) -> None:
    """Check the rank and the elements of an input.

    Raises:
        InvalidRequestError: there are too many.
    """
    if len(shape) > limits.max_rank:
        raise InvalidRequestError(
            f"input '{_shown(name)}' has {len(shape)} dimensions, and {limits.max_rank} are allowed"
        )
    # An empty tensor may have other dimensions of any size, which are multiplied elsewhere.
    elements = 1
    for size in shape:
        elements *= abs(size) or 1
    if elements > limits.max_elements:
        raise InvalidRequestError(
            f"input '{_shown(name)}' has a shape of more than {limits.max_elements} elements, as"
            " many as are allowed; send it in smaller parts"
        )


def check_strings(name: str, raw: bytes, limits: Limits) -> None:
    """Check how many elements a BYTES input has, and how long each of them is.

    What is wrong with it otherwise is left to its model's checks.

    Raises:
        InvalidRequestError: there are too many, or one is too long.
    """
    # So few bytes hold neither.
    if len(raw) <= min(limits.max_strings * LENGTH_PREFIX_BYTES, limits.max_string_bytes):
        return
    with suppress(ValueError):
        for count, (begin, end) in enumerate(string_spans(raw), 1):
            if end - begin > limits.max_string_bytes:
                raise InvalidRequestError(
                    f"input '{_shown(name)}' has a string of {end - begin} bytes, and"
                    f" {limits.max_string_bytes} are allowed"
                )
            if count > limits.max_strings:
                raise InvalidRequestError(
                    f"input '{_shown(name)}' has more than {limits.max_strings} strings, as many"
                    " as are allowed; send them in smaller parts"
                )


def check_answer(model: str, outputs: Iterable[Tensor], max_bytes: int) -> None:
    """Check that an answer's tensors are no larger than a message that is taken may be.

    Raises:
        ExecutionFailedError: the model answered more.
    """
    size_bytes = sum(len(tensor.raw) for tensor in outputs)
    if size_bytes > max_bytes:
        raise ExecutionFailedError(
            f"model '{_shown(model)}' answered {size_bytes} bytes, above the {max_bytes} that"
            " max_message_bytes sets; ask for fewer rows or outputs, or raise the setting"
        )


def _parameters(whose: str, parameters: Mapping[str, InferParameter], limits: Limits) -> None:
    if len(parameters) > limits.max_parameters:
        raise InvalidRequestError(
            f"{whose} has {len(parameters)} parameters, and {limits.max_parameters} are allowed"
        )
    for name, parameter in parameters.items():
        _length("a parameter's name", name, limits.max_name_chars)
        if parameter.HasField("string_param"):
            what = f"the text of parameter '{_shown(name)}'"
            _length(what, parameter.string_param, limits.max_text_chars)


def _length(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InvalidRequestError(f"{what} has {len(text)} characters, and {most} are allowed")


def _shown(name: str) -> str:
    return printable(name, 64)
