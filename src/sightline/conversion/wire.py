"""Messages of protocol buffers, written by hand: fields by number, without a schema."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """A number of up to 64 bits; negative ones as two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A field that holds a number."""
    return varint(field << 3) + varint(value)


def head(field: int, length: int) -> bytes:
    """What stands before the content of a field of bytes, text or a message."""
    return varint(field << 3 | 2) + varint(length)


def content(field: int, data: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return head(field, len(data)) + data
