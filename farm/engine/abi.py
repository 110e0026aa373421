"""Which versions of a model a caller can work with, by ranges over their ABI.

A version's ABI is "MAJOR.MINOR": its author raises MAJOR when callers must change, MINOR
when they may. A range is what Python's packaging calls a specifier set, such as
`>=1.2,<3`; a bare `1.2` means that or any later minor version of the same major one.
"""

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from farm.core.errors import InvalidRequestError

_MAX_LENGTH = 64
_BARE = re.compile(r"\s*([0-9]{1,9})(?:\.([0-9]{1,9}))?\s*", re.ASCII)


def abi_range(text: str) -> SpecifierSet:
    """Return the range that a request's `farm_model_abi` names.

    Raises:
        InvalidRequestError: it is no range.
    """
    bare = _BARE.fullmatch(text)
    if bare is not None:
        major, minor = bare.groups()
        text = f">={major}.{minor or 0},<{int(major) + 1}"
    try:
        if not text.strip() or len(text) > _MAX_LENGTH:
            raise InvalidSpecifier
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise InvalidRequestError(
            f"parameter 'farm_model_abi' is '{text[:_MAX_LENGTH]}', which is no range of versions;"
            " write for example '>=1.2,<3' or '1.2'"
        ) from error
