"""MATLAB files of version 5 to 7: numbers, text, cells and structures as plain values.

SciPy reads them too, and a few wrong bytes end its process (segmentation fault, SciPy 1.17); what comes from others is
read here, where every length is checked against the bytes that are there.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from sightline.errors import DataError

MAX_BYTES = 256 << 20
"""What the variables of a file may have unpacked."""
MAX_DEPTH = 24
"""Structures within structures."""

_HEADER = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_WIDE = frozenset([4, 17, 18])
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _NUMERIC = 1, 2, 4, range(6, 16)
_COMPLEX = 0x0800


def read_matlab(data: bytes, names: Collection[str], what: str) -> dict[str, Any]:
    """The variables of these names that a file has.

    A structure is a dict; an array of them and a cell array are lists in MATLAB's order (columns first); text is a str,
    a number a number, and an array of numbers a flat one. Raises DataError for anything else, and for a damaged file.
    """
    try:
        return _File(data).variables(names)
    except (_DamageError, struct.error, zlib.error, ValueError) as e:
        raise DataError(f"{what} is not a readable MATLAB file ({e}). Fetch it again, or save it with -v7.") from None


class _DamageError(Exception):
    """What is wrong; it becomes part of a DataError."""


class _File:
    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        mark = bytes(self.data[126:128])
        if len(data) < _HEADER or mark not in {b"IM", b"MI"}:
            is_newer = b"\x89HDF" in data[:520]
            raise _DamageError("no header of version 5" + (", but HDF5 of version 7.3" if is_newer else ""))
        self.order = "<" if mark == b"IM" else ">"
        self.left = MAX_BYTES

    def variables(self, names: Collection[str]) -> dict[str, Any]:
        found = {}
        for kind, content in self._elements(self.data[_HEADER:]):
            if kind == _COMPRESSED:
                unpacked = memoryview(self._unpacked(content))
                kind, content = next(self._elements(unpacked), (0, unpacked))
            if kind != _MATRIX:
                raise _DamageError(f"a part of the kind {kind} where a variable is wanted")
            head = self._elements(content)
            flags, dims, name = (next(head, (0, content[:0]))[1] for _ in range(3))
            del flags, dims
            if (title := bytes(name).decode("latin-1")) in names:
                found[title] = self._matrix(content, 0)
        return found

    def _unpacked(self, content: memoryview) -> bytes:
        stream = zlib.decompressobj()
        data = stream.decompress(content, self.left)
        if not stream.eof:
            raise _DamageError(f"more than {MAX_BYTES:,} bytes unpacked, or cut off")
        self.left -= len(data)
        return data

    def _elements(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Kind and content of the elements one after the other."""
        at = 0
        while at + 8 <= len(data):
            kind, size = struct.unpack_from(f"{self.order}II", data, at)
            start = at + 8
            if kind >> 16:  # up to four bytes lie in the tag itself
                kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
                end = at + 8
                if size > 4:
                    raise _DamageError("a small element of more than four bytes")
            else:
                end = start + size if kind == _COMPRESSED else start + (size + 7) // 8 * 8
            if start + size > len(data):
                raise _DamageError(f"cut off: {size:,} bytes wanted, {len(data) - start:,} there")
            yield kind, data[start : start + size]
            at = end

    def _matrix(self, data: memoryview, depth: int) -> Any:
        if not len(data):
            return np.empty(0)
        if depth > MAX_DEPTH:
            raise _DamageError(f"more than {MAX_DEPTH} structures within one another")
        parts = self._elements(data)
        (_, flags), (_, dims), _ = self._next(parts), self._next(parts), self._next(parts)
        sizes = np.frombuffer(dims, f"{self.order}i4").tolist()
        kind = struct.unpack_from(f"{self.order}I", flags)[0]
        if len(sizes) < 2 or min(sizes) < 0 or kind & _COMPLEX:
            raise _DamageError(f"an array of the size {sizes}, or of complex numbers")
        count = math.prod(sizes)
        if count > len(data):
            raise _DamageError(f"{count:,} values in {len(data):,} bytes")
        kind &= 0xFF
        if kind == _CELL:
            return [self._child(parts, depth) for _ in range(count)]
        if kind == _STRUCT:
            return self._structures(parts, count, depth)
        if kind == _CHAR:
            return self._text(*self._next(parts, count), sizes)
        if kind in _NUMERIC:
            return self._numbers(*self._next(parts, count), count)
        raise _DamageError(f"an array of the class {kind}, which is no number, text, cell or structure")

    def _next(self, parts: Iterator[tuple[int, memoryview]], wanted: int = 1) -> tuple[int, memoryview]:
        found = next(parts, None)
        if found is None:
            if wanted:
                raise _DamageError("cut off inside an array")
            return 2, self.data[:0]
        return found

    def _child(self, parts: Iterator[tuple[int, memoryview]], depth: int) -> Any:
        kind, content = self._next(parts)
        if kind != _MATRIX:
            raise _DamageError(f"a part of the kind {kind} where an array is wanted")
        return self._matrix(content, depth + 1)

    def _structures(self, parts: Iterator[tuple[int, memoryview]], count: int, depth: int) -> Any:
        (_, width), (_, listed) = self._next(parts), self._next(parts)
        length = struct.unpack_from(f"{self.order}i", width)[0]
        if length < 1 or len(listed) % length:
            raise _DamageError("names of fields of no length")
        pieces = (bytes(listed[i : i + length]) for i in range(0, len(listed), length))
        names = [piece.partition(b"\0")[0].decode("utf-8") for piece in pieces]
        rows = [{name: self._child(parts, depth) for name in names} for _ in range(count)]
        return rows[0] if count == 1 else rows

    def _text(self, kind: int, data: memoryview, sizes: list[int]) -> Any:
        if kind not in _TEXTS:
            raise _DamageError(f"text of the kind {kind}")
        wide = {"<": "-le", ">": "-be"}[self.order] if kind in _WIDE else ""
        text = bytes(data).decode(_TEXTS[kind] + wide)
        rows = sizes[0]
        # Columns first: of several rows each is every so many-th letter.
        return text if rows <= 1 else [text[i::rows] for i in range(rows)]

    def _numbers(self, kind: int, data: memoryview, count: int) -> Any:
        if kind not in _NUMBERS:
            raise _DamageError(f"numbers of the kind {kind}")
        values = np.frombuffer(data, f"{self.order}{_NUMBERS[kind]}")
        if len(values) != count:
            raise _DamageError(f"{len(values):,} numbers where {count:,} are wanted")
        return values[0].item() if count == 1 else values
