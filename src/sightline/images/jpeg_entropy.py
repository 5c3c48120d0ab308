"""The entropy-coded bytes of a baseline JPEG to symbols and back (ITU-T T.81, annex F), compiled.

The bytes are anybody's. So every loop is bounded by the bytes that are there, not by what a header claims, and arrays
check their bounds; `read` alone does that itself where an index comes from the bytes, for numba's checks would make it
take 2.6 times as long. Python's lock is released.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sightline.images.jpeg_huffman import QUICK_BITS, Decoding, compiled, compiled_unchecked

Array = npt.NDArray[Any]

BLOCK = 64
"""Coefficients of a block."""
SPARE = 8
"""Bytes looked ahead at most: 31 bits are waiting, 32 more are fetched."""
MAX_DC_SIZE = 11
"""Bits of a DC difference of 8-bit images (T.81, table F.1)."""

CUT, SURPLUS, WRONG_MARKER, WRONG_CODE, WRONG_VALUE = -1, -2, -3, -4, -5
REASONS = {
    CUT: "entropy-coded bytes end early",
    SURPLUS: "more entropy-coded bytes than image",
    WRONG_MARKER: "unexpected marker among entropy-coded bytes",
    WRONG_CODE: "damaged entropy-coded bytes",
    WRONG_VALUE: "coefficients out of range",
}
"""What the negative results of this module's functions mean."""


class Source(NamedTuple):
    """Entropy-coded bytes without markers and stuffing."""

    data: Array
    """uint8, with SPARE bytes more than `ends` tells."""
    ends: Array
    """int64: where each restart interval ends."""


class Plan(NamedTuple):
    """The scan to walk through."""

    num_rows: int
    num_columns: int
    interval: int
    """MCUs between the source's restart markers; at least 1."""
    blocks: Array
    """int64: component of each block of an MCU."""


class Symbols(NamedTuple):
    """A scan as symbols: table << 24 | symbol << 16 | value bits, where a table is one of the written scan's four."""

    values: Array
    """uint32."""
    row_ends: Array
    """int64: symbols up to the end of each MCU row."""
    counts: Array
    """int64 [NUM_CODES]: how often each table << 8 | symbol occurs."""


@compiled
def unstuffed(coded: Array, data: Array, ends: Array) -> int:
    """Number of restart intervals up to the end of the image; their bytes go to `data`, where they end to `ends`."""
    at, size, intervals = 0, 0, 0
    last = len(coded) - 1
    while at < last:
        byte = coded[at]
        at += 1
        if byte != 0xFF:
            data[size] = byte
            size += 1
            continue
        marker = coded[at]
        if marker == 0:
            data[size] = 0xFF
            size += 1
            at += 1
            continue
        while marker == 0xFF and at < last:
            at += 1
            marker = coded[at]
        if intervals == len(ends):
            return SURPLUS
        ends[intervals] = size
        intervals += 1
        if marker == 0xD9:
            return intervals
        if marker != 0xD0 + (intervals - 1) % 8:
            return WRONG_MARKER
        at += 1
    return CUT


@compiled_unchecked
def _code(bits: int, table: int, decoding: Decoding) -> int:
    """Length << 8 | symbol of the code that the next 16 bits begin with; 0 for none."""
    entry = int(decoding.quick[table, bits >> (16 - QUICK_BITS)])
    if entry:
        return entry
    for length in range(QUICK_BITS + 1, 17):
        if bits < decoding.limits[table, length]:
            place = decoding.bases[table, length] + (bits >> (16 - length))
            return length << 8 | int(decoding.symbols[table, place & 0xFF])
    return 0


@compiled_unchecked
def _size(value: int) -> int:
    """Number of bits of |value|, which is the size category of T.81, table F.1."""
    size, rest = 0, abs(value)
    while rest:
        size += 1
        rest >>= 1
    return size


@compiled_unchecked
def read(source: Source, plan: Plan, decoding: Decoding, symbols: Symbols) -> int:
    """Number of symbols, or why there are none. DC differences become those of a restart before each row."""
    data, ends = source
    before, written = np.zeros(4, np.int64), np.zeros(4, np.int64)
    buffer, have, at = 0, 0, 0  # the last `have` bits of `buffer` are still to be read, then come those of data[at:]
    count, interval, left = 0, 0, plan.interval
    for row in range(plan.num_rows):
        written[:] = 0
        for _ in range(plan.num_columns):
            if left == 0:
                if 8 * (ends[interval] - at) + have >= 8:
                    return SURPLUS
                at, have, left = ends[interval], 0, plan.interval
                before[:] = 0
                interval += 1
            left -= 1
            if interval == len(ends) or len(symbols.values) - count < BLOCK * len(plan.blocks):
                return CUT
            for component in plan.blocks:
                k = 0
                while k < BLOCK:
                    if have < 32:
                        if at + 4 > len(data):
                            return CUT
                        buffer &= (1 << have) - 1
                        for ahead in range(4):
                            buffer = buffer << 8 | int(data[at + ahead])
                        have += 32
                        at += 4
                    is_ac = int(k > 0)
                    entry = _code(buffer >> (have - 16) & 0xFFFF, 2 * component + is_ac, decoding)
                    if entry == 0:
                        return WRONG_CODE
                    symbol = entry & 0xFF
                    size = symbol & 15
                    have -= (entry >> 8) + size
                    value = buffer >> have & ((1 << size) - 1)
                    if is_ac:
                        k = k + (symbol >> 4) + 1 if symbol else BLOCK
                        if k > BLOCK or (size == 0 and symbol not in (0, 0xF0)):
                            return WRONG_CODE
                    else:
                        k = 1
                        before[component] += value if value >> max(size - 1, 0) else value - (1 << size) + 1
                        value = before[component] - written[component]
                        written[component] = before[component]
                        symbol = _size(value)
                        if symbol > MAX_DC_SIZE:
                            return WRONG_VALUE
                        value += (1 << symbol) - 1 if value < 0 else 0
                    key = (2 * min(component, 1) + is_ac) << 8 | symbol
                    symbols.values[count] = key << 16 | value
                    symbols.counts[key] += 1
                    count += 1
            if 8 * (at - ends[interval]) > have:
                return CUT
        symbols.row_ends[row] = count
    return SURPLUS if 8 * (ends[interval] - at) + have >= 8 else count


@compiled
def _put(byte: int, out: Array, size: int) -> int:
    """Bytes in `out` when one has been added, stuffed where it looks like a marker."""
    out[size] = byte
    if byte == 0xFF:
        out[size + 1] = 0
        return size + 2
    return size + 1


@compiled
def written(symbols: Symbols, codes: Array, out: Array, offsets: Array) -> int:
    """Number of entropy-coded bytes in `out`, where each MCU row begins at its offset and ends with a marker.

    `codes` holds code << 8 | length by table << 8 | symbol. The last marker is EOI.
    """
    size, start = 0, 0
    num_rows = len(symbols.row_ends)
    for row in range(num_rows):
        offsets[row] = size
        buffer, have = 0, 0
        for i in range(start, symbols.row_ends[row]):
            entry = int(symbols.values[i])
            code = codes[entry >> 16]
            bits = entry >> 16 & 15
            buffer = (buffer << (code & 0xFF) | code >> 8) << bits | entry & 0xFFFF
            have += (code & 0xFF) + bits
            if have >= 32:
                have -= 32
                for shift in range(24, -8, -8):
                    size = _put(buffer >> (have + shift) & 0xFF, out, size)
                buffer &= (1 << have) - 1
        start = symbols.row_ends[row]
        padding = -have % 8
        buffer = buffer << padding | ((1 << padding) - 1)
        for shift in range(have + padding - 8, -8, -8):
            size = _put(buffer >> shift & 0xFF, out, size)
        out[size] = 0xFF
        out[size + 1] = 0xD0 + row % 8 if row < num_rows - 1 else 0xD9
        size += 2
    offsets[num_rows] = size
    return size
