"""Huffman tables: looked up in, and made for the symbols that occur (ITU-T T.81, annexes C and K.2), compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from sightline.images.jpeg_segments import HuffmanTable, NotRecodable

P = ParamSpec("P")
R = TypeVar("R")
Array = npt.NDArray[Any]

QUICK_BITS = 9
"""Codes up to this length, nearly all that occur, are looked up at once."""
NUM_CODES = 4 * 256
"""Tables of a written scan: DC and AC of the first component, DC and AC of the others."""


class Decoding(NamedTuple):
    """Tables of the source: row 2c for the DC, row 2c + 1 for the AC coefficients of component c."""

    quick: Array
    """uint16 [tables, 2^QUICK_BITS]: length << 8 | symbol by the next bits; 0 where the code is longer or none."""
    limits: Array
    """int64 [tables, 17]: the next 16 bits are below it where the code is of that length or shorter."""
    bases: Array
    """int64 [tables, 17]: symbol's place, less the code of that length."""
    symbols: Array
    """uint8 [tables, 256]."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, compiled when it is first called and kept on disk; indices out of bounds raise."""
    fast: Callable[P, R] = numba.njit(nogil=True, cache=True, boundscheck=True)(function)
    return fast


def compiled_unchecked(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, compiled; it sees to its indices itself."""
    fast: Callable[P, R] = numba.njit(nogil=True, cache=True, boundscheck=False)(function)
    return fast


def decoding_of(tables: list[HuffmanTable]) -> Decoding:
    """The tables as `Decoding` wants them. Raises NotRecodable when their codes are impossible."""
    count = len(tables)
    decoding = Decoding(
        np.zeros((count, 1 << QUICK_BITS), np.uint16), np.zeros((count, 17), np.int64),
        np.zeros((count, 17), np.int64), np.zeros((count, 256), np.uint8),
    )  # fmt: skip
    for i, table in enumerate(tables):
        decoding.symbols[i, : len(table.symbols)] = np.frombuffer(table.symbols, np.uint8)
        code = place = 0
        for length, number in enumerate(table.counts, 1):
            code <<= 1
            decoding.bases[i, length] = place - code
            code, place = code + number, place + number
            if number and code >= 1 << length:  # no code may be all ones
                raise NotRecodable("damaged header")
            decoding.limits[i, length] = code << (16 - length)
        lengths = np.repeat(np.arange(1, 17), list(table.counts))
        quick = lengths <= QUICK_BITS
        entries = lengths[quick] << 8 | decoding.symbols[i, : quick.sum()]
        filled = np.repeat(entries, 1 << (QUICK_BITS - lengths[quick]))
        decoding.quick[i, : len(filled)] = filled
    return decoding


def optimal_tables(counts: Array) -> tuple[list[HuffmanTable], Array]:
    """Tables of the written scan, and code << 8 | length by table << 8 | symbol."""
    tables: list[HuffmanTable] = []
    codes = np.zeros(NUM_CODES, np.int64)
    numbers = np.zeros(17, np.int64)
    for start in range(0, NUM_CODES, 256):
        if not counts[start : start + 256].any():
            break  # a grey image has the first two tables only
        symbols = optimal(counts[start : start + 256], numbers)
        tables.append(HuffmanTable(counts=bytes(numbers[1:].tolist()), symbols=symbols.tobytes()))
        lengths = np.repeat(np.arange(17), numbers)
        # Canonical codes, left-aligned: each begins where the former one's subtree ends.
        widths = 1 << (16 - lengths)
        codes[start + symbols.astype(np.int64)] = (np.cumsum(widths) - widths) >> (16 - lengths) << 8 | lengths
    return tables, codes


@compiled
def optimal(counts: Array, lengths: Array) -> Array:
    """Symbols from the shortest code to the longest; the number of codes of each length goes to `lengths` (int64[17]).

    Huffman's algorithm over 256 counts, with one more symbol so that no code is all ones, then the codes longer than 16
    bits shortened as in T.81, figure K.3.
    """
    used = np.nonzero(counts)[0]
    keys = np.sort(counts[used] << 8 | used)
    leaves = len(keys) + 1
    weights = np.empty(2 * leaves - 1, np.int64)
    weights[0] = 0  # the additional symbol is the rarest, so its code is among the longest
    weights[1:leaves] = keys >> 8
    parents = np.zeros(2 * leaves - 1, np.int64)
    leaf, node = 0, leaves
    for made in range(leaves, 2 * leaves - 1):
        weights[made] = 0
        for _ in range(2):
            if node == made or (leaf < leaves and weights[leaf] <= weights[node]):
                chosen = leaf
                leaf += 1
            else:
                chosen = node
                node += 1
            weights[made] += weights[chosen]
            parents[chosen] = made
    depths = np.zeros(2 * leaves - 1, np.int64)
    numbers = np.zeros(leaves + 1, np.int64)
    for i in range(2 * leaves - 3, -1, -1):
        depths[i] = depths[parents[i]] + 1
        if i < leaves:
            numbers[depths[i]] += 1
    for length in range(leaves, 16, -1):
        while numbers[length] > 0:
            shorter = length - 2
            while numbers[shorter] == 0:
                shorter -= 1
            numbers[length] -= 2
            numbers[length - 1] += 1
            numbers[shorter + 1] += 2
            numbers[shorter] -= 1
    longest = min(leaves, 16)
    while numbers[longest] == 0:
        longest -= 1
    numbers[longest] -= 1
    lengths[:] = 0
    shown = min(leaves + 1, 17)
    lengths[:shown] = numbers[:shown]
    return (keys[::-1] & 0xFF).astype(np.uint8)
