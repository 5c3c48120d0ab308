"""Files that are unusual or damaged: refused with the reason, or recoded to what they are."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.images import jpeg_entropy, jpeg_huffman, jpeg_recoding
from sightline.images.jpeg_recoding import NotRecodable, recoded
from tests.images import jpeg_reference as reference
from tests.images.jpeg_reference import plain_file, segment_of
from tests.images.jpegs import ENCODERS, photo, pixels_of
from tests.sources import encoded


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
    "frame twice": (lambda d: d.replace(segment_of(d, 0xC0), 2 * segment_of(d, 0xC0)), "damaged header"),
    "frame missing": (lambda d: d.replace(segment_of(d, 0xC0), b""), "damaged header"),
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
    for name in ("unstuffed", "read", "_code", "_size", "written", "_put"):
        patch.setattr(jpeg_entropy, name, getattr(jpeg_entropy, name).py_func)
    patch.setattr(jpeg_huffman, "optimal", jpeg_huffman.optimal.py_func)


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
    lone = reference.coded(reference.random_blocks(shape, 0), shape, tables=reference.PLAIN, chosen=[0])
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
