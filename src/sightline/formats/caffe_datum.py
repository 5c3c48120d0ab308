"""Caffe's `Datum`, a message with one image and its label: encoded, or planes of blue, green and red."""

from __future__ import annotations

from typing import NamedTuple

from sightline.formats.wire import BYTES, VARINT, MalformedError, fields, signed

_CHANNELS, _HEIGHT, _WIDTH, _DATA, _LABEL, _FLOATS, _ENCODED = range(1, 8)


class Datum(NamedTuple):
    """What a message says, and where in it the image lies."""

    channels: int
    height: int
    width: int
    start: int
    stop: int
    label: int | None
    is_encoded: bool


def datum_of(data: bytes) -> Datum:
    """The Datum in a value. Raises MalformedError for other bytes, and for images of floats."""
    numbers: dict[int, int] = {}
    place = None
    for field in fields(data, 0, len(data)):
        if not _CHANNELS <= field.number <= _ENCODED:
            raise MalformedError(f"field {field.number}, which a Datum has not")
        if field.number == _FLOATS:
            raise MalformedError("an image of floats; only bytes are read")
        if field.wire != (BYTES if field.number == _DATA else VARINT):
            raise MalformedError(f"field {field.number} of another type")
        if field.number == _DATA:
            place = field.start, field.stop
        else:
            numbers[field.number] = signed(field.value)
    if place is None:
        raise MalformedError("no image in the Datum")
    channels, height, width = (numbers.get(n, 0) for n in (_CHANNELS, _HEIGHT, _WIDTH))
    is_encoded = bool(numbers.get(_ENCODED, 0))
    return Datum(channels, height, width, *place, label=numbers.get(_LABEL), is_encoded=is_encoded)
