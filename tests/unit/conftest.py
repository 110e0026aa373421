"""Names of tests that are the same in every process: several run them side by side."""

# Longer ones may be keys, certificates and archives, which are other bytes each time.
_MAX_BYTES = 32


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long bytes by what they are for; pytest numbers those of one name."""
    return argname if isinstance(val, bytes) and len(val) > _MAX_BYTES else None
