"""Recoding keeps every coefficient, whatever the file is like, or refuses the file."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.images.jpeg_recoding import NotRecodable, recoded
from tests.images import jpeg_reference as reference
from tests.images.jpegs import ENCODERS, photo, pixels_of
from tests.sources import encoded


def same(data: bytes) -> bytes:
    """Payload of the recoded file, after all that must hold for it."""
    got = recoded(data)
    assert reference.coefficients(got.payload) == reference.coefficients(data)
    assert (got.offsets.dtype, int(got.offsets[-1])) == (np.dtype(np.uint32), len(got.payload))
    rows = [got.payload[a:b] for a, b in zip(got.offsets[:-1], got.offsets[1:], strict=True)]
    assert [row[-2:] for row in rows] == [b"\xff%c" % (0xD0 + i % 8) for i in range(len(rows) - 1)] + [b"\xff\xd9"]
    assert recoded(got.payload).payload == got.payload
    return got.payload


@pytest.mark.parametrize("kind", ENCODERS)
@given(height=st.integers(1, 50), width=st.integers(1, 50), seed=st.integers(0, 9))
@example(height=1, width=1, seed=0)
@example(height=17, width=50, seed=0)
@example(height=2, width=1, seed=2)  # its last bits are looked at far beyond the end
@settings(max_examples=4, deadline=None)
def test_files_of_usual_encoders(kind: str, height: int, width: int, seed: int) -> None:
    data = ENCODERS[kind](photo(height, width, seed=seed))
    payload = same(data)
    np.testing.assert_array_equal(pixels_of(payload), pixels_of(data))
    if kind != "RGB":
        space = "GRAY" if "grey" in kind else "RGB"
        got, wanted = (simplejpeg.decode_jpeg(x, colorspace=space, strict=True) for x in (payload, data))
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("sampling", reference.SAMPLINGS)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), interval=st.integers(0, 6), seed=st.integers(0, 99),
    density=st.sampled_from([0.0, 0.03, 0.3, 1.0]), is_shared=st.booleans(), is_skewed=st.booleans(),
)  # fmt: skip
@settings(max_examples=6, deadline=None)
def test_any_sampling_tables_restarts_and_coefficients(
    sampling: str, height: int, width: int, interval: int, seed: int, density: float, is_shared: bool, is_skewed: bool
) -> None:
    shape = reference.Shape(height=height, width=width, factors=reference.SAMPLINGS[sampling])
    ac = reference.SKEWED_AC if is_skewed else reference.FLAT_AC
    tables = [(0, reference.FLAT_DC), (3, reference.FLAT_DC), (16, ac), (18, reference.FLAT_AC)]
    chosen = [0x00] * 3 if is_shared else [0x02, 0x30, 0x32]
    blocks = reference.random_blocks(shape, seed, density)
    data = reference.coded(blocks, shape, tables=tables, chosen=chosen, interval=interval, frame=0xC1)
    assert reference.coefficients(data) == blocks
    same(data)


def test_codes_are_limited_to_sixteen_bits() -> None:
    # Fibonacci numbers as frequencies ask for one more bit for each symbol.
    counts = [1, 1]
    while len(counts) < 21:
        counts.append(counts[-1] + counts[-2])
    sizes = [(run, size) for run in range(3) for size in range(1, 8)]
    values = [v for (run, size), n in zip(sizes, counts, strict=True) for v in [[0] * run + [2**size - 1]] * n]
    np.random.default_rng(0).shuffle(values)
    blocks, block = [], [0]
    for value in values:
        if len(block) + len(value) > 63:
            blocks.append(block + [0] * (64 - len(block)))
            block = [0]
        block = block + value
    blocks.append(block + [0] * (64 - len(block)))
    shape = reference.Shape(height=8 * -(-len(blocks) // 40), width=320, factors=((1, 1),))
    keys = [key for _, mcu in shape.blocks() for key in mcu]
    blocks += [[0] * 64] * (len(keys) - len(blocks))
    payload = same(reference.coded(dict(zip(keys, blocks, strict=True)), shape, tables=reference.PLAIN, chosen=[0]))
    ac = reference.segment_of(payload, 0xC4)
    second = 5 + 16 + sum(ac[5:21])
    assert ac[second] == 0x10
    assert ac[second + 16] > 2  # codes of 16 bits


def test_metadata_is_kept_and_what_follows_the_image_is_not() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(photo(20, 30))
    data = encoded(image, "JPEG", exif=exif, icc_profile=b"profile" * 9000, comment=b"a word", dpi=(72, 72))
    payload = same(data + b"appended \xff\xd8 bytes")
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(payload)) as after:
        assert after.info == before.info
        assert dict(after.getexif()) == {0x0112: 6}
    adobe = ENCODERS["RGB"](photo(9, 9))
    assert reference.segment_of(recoded(adobe).payload, 0xEE) == reference.segment_of(adobe, 0xEE)


def test_fill_bytes_before_markers() -> None:
    data = reference.plain_file(interval=2)
    filled = data
    for marker in (0xC0, 0xDA, 0xD0, 0xD9):
        filled = filled.replace(bytes([0xFF, marker]), b"\xff\xff\xff" + bytes([marker]))
    assert len(filled) > len(data)
    assert recoded(filled).payload == recoded(data).payload


def test_symbols_of_a_block() -> None:
    data = reference.plain_file("grey", 8, 8)
    head = data[: data.index(b"\xff\xda") + 10]

    def with_symbols(*symbols: int) -> bytes:
        """One block: DC difference 0, then these AC symbols with value bits of 1."""
        table = {symbol: code for code, symbol in reference.codes(reference.FLAT_AC).items()}
        digits = "0000" + "".join(table[symbol] + "1" * (symbol & 15) for symbol in symbols)
        return head + reference.packed([digits]) + b"\xff\xd9"

    same(with_symbols(0))
    same(with_symbols(0xF0, 0))
    same(with_symbols(0xF0, 0xF0, 0xF0, 0xE1))
    same(with_symbols(*[0x0F] * 63))
    for symbols in ((0x10, 0), (0xE0,), (0xF0, 0xF0, 0xF0, 0xF1), (0xF0, 0xF0, 0xF0, 0xF0)):
        with pytest.raises(NotRecodable, match="damaged entropy-coded bytes"):
            recoded(with_symbols(*symbols))


@pytest.mark.parametrize(
    ("obstacle", "advice"),
    [
        ('sys.modules["numba"] = None', "pip install 'sightline[pack]'"),
        ('os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = "ZipCacheLocator"', "set NUMBA_CACHE_DIR"),
    ],
)
def test_only_recoding_needs_numba(obstacle: str, advice: str) -> None:
    code = f"""
import os, sys
{obstacle}
from sightline.errors import SightlineError
from sightline.images.jpeg_bands import band
from sightline.images.jpeg_recoding import recoded
try:
    recoded(b"")
except SightlineError as e:
    print(e)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert advice in out.stdout


def test_photographs(shared_data: Callable[[str], Path]) -> None:
    before = after = 0
    for path in sorted(shared_data("imagenet-originals").rglob("*.JPEG"))[::25]:
        data = path.read_bytes()
        payload = recoded(data).payload
        np.testing.assert_array_equal(pixels_of(payload), pixels_of(data))
        before, after = before + len(data), after + len(payload)
    assert 0.9 < after / before < 1.003
