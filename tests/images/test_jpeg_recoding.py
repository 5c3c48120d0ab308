"""Recoding keeps every coefficient, whatever the file is like, or refuses the file."""

from __future__ import annotations

import io
import struct
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

from sightline.images import jpeg_entropy, jpeg_recoding
from sightline.images.jpeg_recoding import NotRecodable, recoded
from tests.images import jpeg_reference as reference
from tests.images.jpegs import ENCODERS, photo, pixels_of
from tests.sources import encoded

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
PLAIN = ((0, reference.FLAT_DC), (16, reference.FLAT_AC))


def plain_file(sampling: str = "420", height: int = 21, width: int = 37, seed: int = 0, interval: int = 0) -> bytes:
    shape = reference.Shape(height=height, width=width, factors=SAMPLINGS[sampling])
    blocks = reference.random_blocks(shape, seed)
    return reference.coded(blocks, shape, tables=PLAIN, chosen=[0] * len(shape.factors), interval=interval)


def header_of(data: bytes, marker: int) -> bytes:
    """First segment of that marker, with it."""
    at = data.index(bytes([0xFF, marker]))
    return data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]


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
@settings(max_examples=4, deadline=None)
def test_files_of_usual_encoders(kind: str, height: int, width: int, seed: int) -> None:
    data = ENCODERS[kind](photo(height, width, seed=seed))
    payload = same(data)
    np.testing.assert_array_equal(pixels_of(payload), pixels_of(data))
    if kind != "RGB":
        space = "GRAY" if "grey" in kind else "RGB"
        got, wanted = (simplejpeg.decode_jpeg(x, colorspace=space, strict=True) for x in (payload, data))
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), interval=st.integers(0, 6), seed=st.integers(0, 99),
    density=st.sampled_from([0.0, 0.03, 0.3, 1.0]), is_shared=st.booleans(), is_skewed=st.booleans(),
)  # fmt: skip
@settings(max_examples=6, deadline=None)
def test_any_sampling_tables_restarts_and_coefficients(
    sampling: str, height: int, width: int, interval: int, seed: int, density: float, is_shared: bool, is_skewed: bool
) -> None:
    shape = reference.Shape(height=height, width=width, factors=SAMPLINGS[sampling])
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
    payload = same(reference.coded(dict(zip(keys, blocks, strict=True)), shape, tables=PLAIN, chosen=[0]))
    ac = header_of(payload, 0xC4)
    second = 5 + 16 + sum(ac[5:21])
    assert ac[second] == 0x10
    assert ac[second + 16] > 2  # codes of 16 bits


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
    symbols = jpeg_entropy.optimal(counts, lengths)
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
    assert header_of(recoded(adobe).payload, 0xEE) == header_of(adobe, 0xEE)


def test_fill_bytes_before_markers() -> None:
    data = plain_file(interval=2)
    filled = data
    for marker in (0xC0, 0xDA, 0xD0, 0xD9):
        filled = filled.replace(bytes([0xFF, marker]), b"\xff\xff\xff" + bytes([marker]))
    assert len(filled) > len(data)
    assert recoded(filled).payload == recoded(data).payload


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert data.count(old) == 1
        return data.replace(old, new)

    return change


FRAME = struct.pack(">BHHB", 8, 21, 37, 3) + bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
SCAN = bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
DC_SIZES = b"".join(reference.FLAT_DC)
REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "progressive": (replaced(b"\xff\xc0", b"\xff\xc2"), "progressive"),
    "arithmetic": (replaced(b"\xff\xc0", b"\xff\xc9"), "arithmetic coding"),
    "lossless": (replaced(b"\xff\xc0", b"\xff\xc3"), "lossless"),
    "hierarchical": (replaced(b"\xff\xc0", b"\xff\xc5"), "hierarchical"),
    "12 bits": (replaced(FRAME, b"\x0c" + FRAME[1:]), "not 8 bits"),
    "height unknown": (replaced(FRAME, FRAME[:1] + b"\0\0" + FRAME[3:]), "height stands behind the image"),
    "no width": (replaced(FRAME, FRAME[:3] + b"\0\0" + FRAME[5:]), "damaged header"),
    "too many pixels": (replaced(FRAME, FRAME[:1] + b"\xff\xff\xff\xff" + FRAME[5:]), "more than 178,956,970 pixels"),
    "one component twice": (replaced(FRAME, FRAME[:9] + b"\1" + FRAME[10:]), "damaged header"),
    "factor 0": (replaced(FRAME, FRAME[:7] + b"\x20" + FRAME[8:]), "damaged header"),
    "factor 5": (replaced(FRAME, FRAME[:7] + b"\x51" + FRAME[8:]), "damaged header"),
    "factors 3 and 2": (replaced(FRAME, FRAME[:7] + b"\x31\2\0\x21" + FRAME[11:]), "unusual sampling factors"),
    "12 blocks": (replaced(FRAME, FRAME[:7] + b"\x24\0\2\x22" + FRAME[11:]), "unusual sampling factors"),
    "quantization missing": (replaced(FRAME, FRAME[:8] + b"\2" + FRAME[9:]), "damaged header"),
    "frame cut": (replaced(b"\xff\xc0\0\x11", b"\xff\xc0\0\x05"), "damaged header"),
    "frame twice": (lambda d: d.replace(header_of(d, 0xC0), 2 * header_of(d, 0xC0)), "damaged header"),
    "frame missing": (lambda d: d.replace(header_of(d, 0xC0), b""), "damaged header"),
    "one component a scan": (replaced(SCAN, bytes([1, 1, 0, 0, 63, 0])), "damaged header"),
    "order of components": (replaced(SCAN, bytes([3, 1, 0, 3, 0, 2, 0, 0, 63, 0])), "damaged header"),
    "spectral selection": (replaced(SCAN, SCAN[:-3] + b"\0\5\0"), "damaged header"),
    "unknown table": (replaced(SCAN, b"\3\1\x10" + SCAN[3:]), "damaged header"),
    "table number": (replaced(SCAN, b"\3\1\x40" + SCAN[3:]), "damaged header"),
    "table of all ones": (replaced(DC_SIZES, b"\0\0\x08\4" + DC_SIZES[4:]), "damaged header"),
    "table number 5": (replaced(b"\xc4\0\x1f\0", b"\xc4\0\x1f\5"), "damaged header"),
    "DC size 16": (replaced(DC_SIZES, DC_SIZES[:-1] + b"\x10"), "damaged header"),
    "DC size 12": (replaced(DC_SIZES, DC_SIZES.replace(b"\x0a\x0b", b"\x0c\x0c")), "coefficients out of range"),
    "quantization number": (replaced(b"\xff\xdb\0\x43\0", b"\xff\xdb\0\x43\4"), "damaged header"),
    "quantization cut": (replaced(b"\xff\xdb\0\x43\0", b"\xff\xdb\0\x43\x10"), "damaged header"),
    "interval of one byte": (replaced(b"\xff\xda", b"\xff\xdd\0\3\1\xff\xda"), "damaged header"),
    "arithmetic conditioning": (replaced(b"\xff\xda", b"\xff\xcc\0\4\0\0\xff\xda"), "arithmetic coding"),
    "number of lines": (replaced(b"\xff\xda", b"\xff\xdc\0\4\0\1\xff\xda"), "unusual marker"),
    "bytes between segments": (replaced(b"\xff\xda", b"\0\xff\xda"), "damaged header"),
    "restart in the header": (replaced(b"\xff\xda", b"\xff\xd0\0\2\xff\xda"), "damaged header"),
    "segment of length 1": (replaced(b"\xff\xda", b"\xff\xe0\0\1\xff\xda"), "damaged header"),
    "restart that is not due": (lambda d: d[:-30] + b"\xff\xd0" + d[-30:], "more entropy-coded bytes than image"),
    "surplus bytes": (lambda d: d[:-2] + b"\x55\xff\xd9", "more entropy-coded bytes than image"),
    "a second scan": (lambda d: d[:-2] + d[d.index(b"\xff\xda") :], "unexpected marker among entropy-coded bytes"),
    "no end": (lambda d: d[:-2], "entropy-coded bytes end early"),
    "end too early": (lambda d: d[:-40] + b"\xff\xd9", "entropy-coded bytes end early"),
    "two bytes": (lambda d: d[:2], "damaged header"),
    "no JPEG": (lambda d: b"\x89PNG" + d, "not a JPEG"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_unusual_files_are_refused_with_the_reason(kind: str) -> None:
    change, reason = REFUSED[kind]
    data = plain_file()
    recoded(data)
    with pytest.raises(NotRecodable) as caught:
        recoded(change(data))
    assert str(caught.value) == reason


def not_compiled(patch: pytest.MonkeyPatch) -> None:
    """Arrays of plain Python check their bounds where the compiled function does so itself."""
    for name in ("unstuffed", "read", "_code", "_size", "optimal", "written", "_put"):
        patch.setattr(jpeg_entropy, name, getattr(jpeg_entropy, name).py_func)


@pytest.mark.parametrize("is_compiled", [True, False])
def test_restart_markers_must_be_in_order_and_complete(is_compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_compiled:
        not_compiled(monkeypatch)
    data = plain_file(interval=2)
    recoded(data)
    with pytest.raises(NotRecodable, match="unexpected marker"):
        recoded(data.replace(b"\xff\xd1", b"\xff\xd2"))
    with pytest.raises(NotRecodable, match="end early"):
        recoded(data[: data.index(b"\xff\xd1")] + b"\xff\xd9")
    with pytest.raises(NotRecodable, match="more entropy-coded"):
        recoded(data.replace(b"\xff\xd1", b"\x00\x00\xff\xd1"))
    with pytest.raises(NotRecodable, match="unexpected marker"):
        recoded(data.replace(b"\xff\xd1", b"\xff\xff\x00"))


def test_symbols_of_a_block() -> None:
    data = plain_file("grey", 8, 8)
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


@pytest.mark.parametrize("mode", ["CMYK", "progressive"])
def test_pillows_unusual_files_are_refused(mode: str) -> None:
    if mode == "CMYK":
        data, reason = encoded(Image.fromarray(photo(9, 9)).convert("CMYK"), "JPEG"), "neither 1 nor 3 components"
    else:
        data, reason = encoded(Image.fromarray(photo(9, 9)), "JPEG", progressive=True), "progressive"
    with pytest.raises(NotRecodable, match=reason):
        recoded(data)


def test_a_scan_for_each_component_is_refused() -> None:
    data = plain_file("444", 8, 8)
    shape = reference.Shape(height=8, width=8, factors=((1, 1),))
    lone = reference.coded(reference.random_blocks(shape, 0), shape, tables=PLAIN, chosen=[0])
    with pytest.raises(NotRecodable, match="more than one scan"):
        recoded(data[: data.index(b"\xff\xda")] + lone[lone.index(b"\xff\xda") :])


def test_every_truncation_is_refused() -> None:
    data = ENCODERS["420"](photo(24, 24))
    for size in range(len(data)):
        with pytest.raises(NotRecodable):
            recoded(data[:size])


def test_a_header_that_claims_much_costs_nothing() -> None:
    data = ENCODERS["grey"](photo(8, 8))
    at = data.index(b"\xff\xc0") + 5
    huge = data[:at] + struct.pack(">HH", 13_000, 13_000) + data[at + 4 :]
    with pytest.raises(NotRecodable, match="end early"):
        recoded(huge)
    interval = huge.replace(b"\xff\xda", b"\xff\xdd\0\4\0\1\xff\xda")
    with pytest.raises(NotRecodable, match="end early"):
        recoded(interval)


def test_larger_files_than_positions_can_say_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_recoding, "MAX_BYTES", 100)
    with pytest.raises(NotRecodable, match="larger"):
        recoded(plain_file())


def damaged(data: bytes, flips: list[tuple[float, int]], start: int = 2) -> bytes:
    values = bytearray(data)
    for place, byte in flips:
        values[start + int(place * (len(data) - start))] ^= byte
    return bytes(values)


FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3)


@pytest.mark.parametrize("kind", ["444", "420", "grey", "restarts in blocks", "RGB"])
@given(flips=FLIPS, in_header=st.booleans())
@settings(max_examples=60, deadline=None)
def test_damage_is_refused_or_kept_as_it_is(kind: str, flips: list[tuple[float, int]], in_header: bool) -> None:
    data = ENCODERS[kind](photo(30, 41))
    start = data.index(b"\xff\xda")
    bad = damaged(data[:start], flips) + data[start:] if in_header else damaged(data, flips, start)
    try:
        payload = recoded(bad).payload
    except NotRecodable:
        return
    assert reference.coefficients(payload) == reference.coefficients(bad)
    assert _decoded(payload) == _decoded(bad)


def _decoded(data: bytes) -> bytes | str:
    try:
        return pixels_of(data).tobytes()
    except (OSError, SyntaxError) as e:
        return str(e)


@given(flips=FLIPS, kind=st.sampled_from(["444", "420", "grey", "restarts in blocks"]))
@settings(max_examples=25, deadline=None)
def test_compiled_code_does_what_its_python_does(flips: list[tuple[float, int]], kind: str) -> None:
    data = ENCODERS[kind](photo(18, 18))
    bad = damaged(data, flips, data.index(b"\xff\xda"))

    def outcome() -> tuple[bytes, bytes] | str:
        try:
            got = recoded(bad)
        except NotRecodable as e:
            return str(e)
        return got.payload, got.offsets.tobytes()

    compiled = outcome()
    with pytest.MonkeyPatch.context() as patch:
        not_compiled(patch)
        assert outcome() == compiled


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
