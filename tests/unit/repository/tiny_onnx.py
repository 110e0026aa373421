"""ONNX files written by hand, byte by byte, so that they can be wrong in every way."""

from collections.abc import Iterable, Mapping


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes | str) -> bytes:
    payload = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def entry(field: int, key: str, value: str) -> bytes:
    return message(field, message(1, key), message(2, value))


def tensor(field: int, location: str | None = None, raw: bytes = b"") -> bytes:
    external = () if location is None else (entry(13, "location", location), number(14, 1))
    return message(field, message(8, "w"), message(9, raw), *external)


def node(*attributes: bytes, field: int = 1) -> bytes:
    return message(field, message(4, "Relu"), *attributes)


def model(
    *graph: bytes,
    ir_version: int = 8,
    opsets: Mapping[str, int] | None = None,
    metadata: Mapping[str, str] | None = None,
    rest: Iterable[bytes] = (),
) -> bytes:
    """Return a model whose graph has these fields."""
    return b"".join(
        (
            number(1, ir_version),
            message(2, "tiny"),
            message(7, *graph),
            *(
                message(8, message(1, domain), number(2, version))
                for domain, version in ({"": 17} if opsets is None else opsets).items()
            ),
            *(entry(14, key, value) for key, value in (metadata or {}).items()),
            *rest,
        )
    )


MODEL = model(node())
