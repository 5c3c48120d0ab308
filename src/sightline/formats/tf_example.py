"""`tf.train.Example`, the message inside most TFRecord files: named lists of bytes, floats or integers."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from sightline.formats.wire import BYTES, FIXED32, VARINT, MalformedError, fields, signed, varint


class Span(NamedTuple):
    """Where a value lies in its record."""

    start: int
    stop: int


def features_of(record: bytes) -> dict[str, Span]:
    """Where the feature of each name lies. Raises MalformedError for bytes that are no Example."""
    found: dict[str, Span] = {}
    for example in fields(record, 0, len(record)):
        if example.number != 1 or example.wire != BYTES:
            raise MalformedError(f"field {example.number} where only features belong")
        for entry in fields(record, example.start, example.stop):
            name, value = "", Span(0, 0)
            for part in fields(record, entry.start, entry.stop):
                if part.number == 1:
                    name = str(record[part.start : part.stop], "utf-8", "replace")
                elif part.number == 2:
                    value = Span(part.start, part.stop)
            found[name] = value
    if not found:
        raise MalformedError("no features")
    return found


def values_of(record: bytes, feature: Span) -> list[Any]:
    """The values of a feature: a `Span` for each byte string, else numbers; empty where none was set."""
    values: list[Any] = []
    for kind in fields(record, *feature):
        values = []  # only the last of several kinds counts
        for item in fields(record, kind.start, kind.stop):
            if kind.number == 1:
                values.append(Span(item.start, item.stop))
            elif kind.number == 2:
                values += _floats(record, item.start, item.stop, item.wire)
            elif item.wire == VARINT:
                values.append(signed(item.value))
            else:
                values += _integers(record, item.start, item.stop)
    return values


def _floats(record: bytes, start: int, stop: int, wire: int) -> tuple[float, ...]:
    """A packed list or, from old writers, one value of its own."""
    if wire not in (BYTES, FIXED32) or (stop - start) % 4:
        raise MalformedError("floats of another size than 4 bytes")
    return struct.unpack(f"<{(stop - start) // 4}f", record[start:stop])


def _integers(record: bytes, start: int, stop: int) -> list[int]:
    values = []
    while start < stop:
        value, start = varint(record, start, stop)
        values.append(signed(value))
    return values
