"""The wire format of protocol buffers: fields by number, without a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; groups (3, 4) are out of use."""


class MalformedError(ValueError):
    """Bytes that are no message; the text says why."""


class Field(NamedTuple):
    """One field as it stands in a message."""

    number: int
    wire: int
    value: int
    """The number of a VARINT; else 0."""
    start: int
    stop: int
    """Where the content of any other field lies."""


def fields(data: bytes, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message between two positions. Raises MalformedError."""
    at = start
    while at < stop:
        tag, at = varint(data, at, stop)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = varint(data, at, stop)
            yield Field(number, wire, value, at, at)
            continue
        if wire == BYTES:
            length, at = varint(data, at, stop)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise MalformedError(f"wire type {wire}")
        if at + length > stop:
            raise MalformedError(f"a field of {length:,} bytes ends behind its message")
        yield Field(number, wire, 0, at, at + length)
        at += length


def varint(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """An unsigned number of up to 64 bits, and the position behind it. Raises MalformedError."""
    value = shift = 0
    while at < stop and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise MalformedError("a number does not end")


def signed(value: int) -> int:
    """A 64-bit number as two's complement."""
    return value - (1 << 64) if value >> 63 else value
