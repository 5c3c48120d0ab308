"""A plain JPEG codec down to coefficients, slow and written from the standard, to judge the fast one by."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Table = tuple[bytes, bytes]
"""Number of codes of each length 1 … 16, and the symbols in their order."""

FLAT_DC: Table = (bytes([0, 0, 0, 12] + [0] * 12), bytes(range(12)))
FLAT_AC: Table = (bytes([0] * 7 + [128, 128] + [0] * 7), bytes(range(256)))
SKEWED_AC: Table = (bytes([0, 1, 1, 1, 1, 1, 1, 1] + [0] * 7 + [249]), bytes(range(256)))
"""Most of its codes have 16 bits."""

PLAIN = ((0, FLAT_DC), (16, FLAT_AC))
"""Tables by class and number, as `coded` wants them."""

SAMPLINGS = {
    "444": ((1, 1), (1, 1), (1, 1)),
    "422": ((2, 1), (1, 1), (1, 1)),
    "420": ((2, 2), (1, 1), (1, 1)),
    "440": ((1, 2), (1, 1), (1, 1)),
    "411": ((4, 1), (1, 1), (1, 1)),
    "410": ((4, 2), (1, 1), (1, 1)),
    "tall": ((1, 4), (1, 2), (1, 1)),
    "first is coarse": ((1, 1), (2, 2), (1, 2)),
    "grey": ((1, 1),),
    "grey of large factors": ((2, 2),),
}
"""Horizontal and vertical factor of each component."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a frame header says."""

    height: int
    width: int
    factors: tuple[tuple[int, int], ...]
    """Horizontal and vertical sampling factor of each component."""

    def blocks(self) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
        """MCU row, and component, row and column of each block, MCU by MCU in the order of a scan."""
        lone = len(self.factors) == 1
        factors = ((1, 1),) if lone else self.factors
        across, down = (8 * max(f[i] for f in factors) for i in (0, 1))
        for row, column in itertools.product(range(-(-self.height // down)), range(-(-self.width // across))):
            yield row, [
                (c, row * v + y, column * h + x)
                for c, (h, v) in enumerate(factors) for y in range(v) for x in range(h)
            ]  # fmt: skip


def codes(table: Table) -> dict[str, int]:
    """Symbols by their code in binary digits."""
    found, code, symbols = {}, 0, iter(table[1])
    for length, number in enumerate(table[0], 1):
        code *= 2
        for _ in range(number):
            found[format(code, f"0{length}b")] = next(symbols)
            code += 1
    return found


def coefficients(data: bytes) -> dict[tuple[int, int, int], list[int]]:
    """Quantized coefficients in zigzag order by (component, row, column) of their block."""
    tables: dict[int, dict[str, int]] = {}
    interval, at = 0, 2
    while True:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        if marker == 0xC4:
            while body:
                number = sum(body[1:17])
                tables[body[0]] = codes((body[1:17], body[17 : 17 + number]))
                body = body[17 + number :]
        elif marker in {0xC0, 0xC1}:
            height, width = struct.unpack(">HH", body[1:5])
            shape = Shape(height=height, width=width, factors=tuple((b >> 4, b & 15) for b in body[7::3]))
        elif marker == 0xDD:
            interval = int.from_bytes(body, "big")
        elif marker == 0xDA:
            return _scan(data[at:], shape, interval, [(tables[b >> 4], tables[16 + b % 16]) for b in body[2:-3:2]])


def _scan(
    coded: bytes, shape: Shape, interval: int, tables: Sequence[tuple[dict[str, int], dict[str, int]]]
) -> dict[tuple[int, int, int], list[int]]:
    intervals = iter(_bits(coded))
    found: dict[tuple[int, int, int], list[int]] = {}
    for i, (_, blocks) in enumerate(shape.blocks()):
        if i == 0 or (interval and i % interval == 0):
            bits, before = iter(next(intervals)), [0] * 4
        for c, row, column in blocks:
            before[c] += _value(bits, _symbol(bits, tables[c][0]))
            block = [before[c]]
            while len(block) < 64:
                symbol = _symbol(bits, tables[c][1])
                if symbol == 0:
                    block += [0] * (64 - len(block))
                else:
                    block += [0] * (symbol >> 4)
                    block.append(_value(bits, symbol & 15))
            found[c, row, column] = block
    assert next(intervals, None) is None
    assert all(len(block) == 64 for block in found.values())
    return found


def _bits(coded: bytes) -> Iterator[str]:
    digits: list[str] = []
    at = 0
    while True:
        if coded[at] != 0xFF or coded[at + 1] == 0:
            digits.append(format(coded[at], "08b"))
            at += 1 if coded[at] != 0xFF else 2
        else:
            yield "".join(digits)
            digits.clear()
            if coded[at + 1] == 0xD9:
                return
            at += 2


def _symbol(bits: Iterator[str], table: dict[str, int]) -> int:
    code = ""
    while code not in table:
        code += next(bits)
    return table[code]


def _value(bits: Iterator[str], size: int) -> int:
    digits = "".join(next(bits) for _ in range(size))
    if not digits:
        return 0
    return int(digits, 2) if digits[0] == "1" else int(digits, 2) - 2**size + 1


def segment(marker: int, body: bytes) -> bytes:
    """A marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def coded(
    blocks: dict[tuple[int, int, int], list[int]], shape: Shape, *, tables: Sequence[tuple[int, Table]],
    chosen: Sequence[int], interval: int = 0, frame: int = 0xC0, quantization: bytes = b"\0" + bytes(range(1, 65)),
) -> bytes:  # fmt: skip
    """A JPEG of these coefficients; `tables` are written by their class and number, `chosen` by each component."""
    found = {number: {symbol: code for code, symbol in codes(table).items()} for number, table in tables}
    parts, digits, before = [], [], [0] * 4
    for i, (_, mcu) in enumerate(shape.blocks()):
        if interval and i and i % interval == 0:
            parts += [packed(digits), bytes([0xFF, 0xD0 + (i // interval - 1) % 8])]
            digits, before = [], [0] * 4
        for c, row, column in mcu:
            dc, *ac = blocks[c, row, column]
            digits += _digits(found[chosen[c] >> 4], 0, dc - before[c])
            digits += _ac(found[16 | chosen[c] & 15], ac)
            before[c] = dc
    parts += [packed(digits), b"\xff\xd9"]
    count = len(shape.factors)
    sampling = b"".join(bytes([i + 1, h << 4 | v, 0]) for i, (h, v) in enumerate(shape.factors))
    head = [
        b"\xff\xd8",
        segment(0xDB, quantization),
        segment(frame, struct.pack(">BHHB", 8, shape.height, shape.width, count) + sampling),
        *(segment(0xC4, bytes([number]) + b"".join(table)) for number, table in tables),
        segment(0xDD, struct.pack(">H", interval)) if interval else b"",
        segment(0xDA, bytes([count, *itertools.chain(*((i + 1, chosen[i]) for i in range(count))), 0, 63, 0])),
    ]
    return b"".join(head + parts)


def _digits(table: dict[int, str], run: int, value: int) -> list[str]:
    size = abs(value).bit_length()
    digits = format(value if value > 0 else value + 2**size - 1, f"0{size}b") if size else ""
    return [table[run << 4 | size], digits]


def _ac(table: dict[int, str], values: Iterable[int]) -> list[str]:
    digits: list[str] = []
    run = 0
    for value in values:
        if value == 0:
            run += 1
            continue
        digits += [table[0xF0]] * (run // 16) + _digits(table, run % 16, value)
        run = 0
    return [*digits, table[0]] if run else digits


def packed(digits: Sequence[str]) -> bytes:
    """Entropy-coded bytes of binary digits, filled up with ones."""
    line = "".join(digits)
    line += "1" * (-len(line) % 8)
    return int(line or "0", 2).to_bytes(len(line) // 8, "big").replace(b"\xff", b"\xff\0")


def random_blocks(shape: Shape, seed: int, density: float = 0.2) -> dict[tuple[int, int, int], list[int]]:
    """Coefficients of every block of a scan; `density` is the share that is not zero, sizes go to the very limits."""
    rng = np.random.default_rng(seed)
    found = {}
    for _, mcu in shape.blocks():
        for key in mcu:
            sizes = rng.integers(1, 11, 63)
            block = rng.integers(-(2**sizes) + 1, 2**sizes) * (rng.random(63) < density)
            found[key] = [int(rng.integers(-1023, 1024)), *block.tolist()]
    return found


def plain_file(sampling: str = "420", height: int = 21, width: int = 37, seed: int = 0, interval: int = 0) -> bytes:
    """A JPEG of random coefficients with flat tables."""
    shape = Shape(height=height, width=width, factors=SAMPLINGS[sampling])
    blocks = random_blocks(shape, seed)
    return coded(blocks, shape, tables=PLAIN, chosen=[0] * len(shape.factors), interval=interval)


def segment_of(data: bytes, marker: int) -> bytes:
    """First segment of that marker, with it."""
    at = data.index(bytes([0xFF, marker]))
    return data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
