"""Huffman codes made for counts, against Huffman's algorithm written plainly."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sightline.images import jpeg_huffman


@given(
    st.lists(st.integers(0, 3) | st.integers(0, 5000) | st.integers(0, 2**40), min_size=1, max_size=256).filter(any)
)
@example([2**i for i in range(40)])
@example([0] * 255 + [7])
@example([1] * 256)
@settings(max_examples=60, deadline=None)
def test_optimal_codes(numbers: list[int]) -> None:
    counts = np.zeros(256, np.int64)
    counts[: len(numbers)] = numbers
    lengths = np.full(17, -1)
    symbols = jpeg_huffman.optimal(counts, lengths)
    assert sorted(symbols.tolist()) == np.flatnonzero(counts).tolist()
    assert (np.diff(counts[symbols]) <= 0).all()
    assert (lengths[0], lengths.sum()) == (0, len(symbols))
    longest = int(np.flatnonzero(lengths).max())
    # Room is left for exactly the one code that is all ones.
    assert sum(int(n) << (16 - i) for i, n in enumerate(lengths)) == (1 << 16) - (1 << (16 - longest))
    cost, depth = _huffman(sorted(counts[symbols].tolist()))
    got = int((counts[symbols] * np.repeat(np.arange(17), lengths)).sum())
    assert got == cost if depth <= 16 else got > cost


def _huffman(weights: list[int]) -> tuple[int, int]:
    """Bits of a Huffman code with one more symbol of weight 0, and its longest code."""
    nodes = [(0, 0), *((w, 0) for w in weights)]
    cost = 0
    while len(nodes) > 1:
        (a, deep), (b, deeper), *nodes = nodes
        cost += a + b
        nodes = sorted([*nodes, (a + b, max(deep, deeper) + 1)])
    return cost, nodes[0][1]
