"""Packed shards: payloads and bands from byte ranges, and what is said when bytes are not what the index says."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import DataError, DecodeError
from sightline.images import ImageReader, decode, ranges, shards
from sightline.images.shards import BANDS, companion_of
from sightline.samples import IMAGE
from tests.sources import encoded, picture

pytest.importorskip("numba", reason="the extra `pack` is not installed")

HEIGHT, WIDTH = 61, 45


def packed(folder: Path, payloads: list[tuple[bytes, Any]], name: str = "shard.tar") -> ImageReader:
    """A reader of payloads that lie one behind the other in a file, with where their rows begin."""
    (folder / name).write_bytes(b"head" + b"".join(data for data, _ in payloads))
    write_companion(folder / name, [offsets for _, offsets in payloads])
    rows, offset = [], 4
    for row, (data, _) in enumerate(payloads):
        rows.append({"root": "r", "path": name, "container": "packed", "row": row, "offset": offset, "codec": "jpeg",
                     "length": len(data)})  # fmt: skip
        offset += len(data)
    return ImageReader(pa.array(rows, IMAGE), {"r": str(folder)})


def write_companion(shard: Path, bands: list[Any]) -> None:
    table = pa.table([pa.array(bands, BANDS.field("bands").type)], schema=BANDS)
    with pa.OSFile(str(companion_of(shard)), "wb") as f, pa.ipc.new_file(f, BANDS) as writer:
        writer.write_table(table)


@pytest.fixture(scope="module")
def images() -> list[tuple[bytes, Any]]:
    """A PNG, which is decoded whole, between JPEGs of several samplings."""
    from sightline.images.jpeg_recoding import recoded

    jpegs = [
        encoded(Image.fromarray(picture(HEIGHT, WIDTH, channels, seed)), "JPEG", **options)
        for seed, (channels, options) in enumerate([(3, {"subsampling": 2}), (3, {"subsampling": 0}), (1, {})])
    ]
    made = [(r.payload, r.offsets) for r in map(recoded, jpegs)]
    whole = encoded(Image.fromarray(picture(HEIGHT, WIDTH)), "PNG")
    return [made[0], (whole, None), *made[1:]]


@pytest.fixture
def reader(tmp_path: Path, images: list[tuple[bytes, Any]]) -> ImageReader:
    return packed(tmp_path, images)


def test_payloads_and_pixels(reader: ImageReader, images: list[tuple[bytes, Any]]) -> None:
    for i, (data, _) in enumerate(images):
        assert reader.payload(i) == data
        np.testing.assert_array_equal(reader.pixels(i).values, decode(data).values)


@given(st.integers(0, 3), st.tuples(st.integers(0, HEIGHT - 1), st.integers(1, HEIGHT)).filter(lambda r: r[0] < r[1]))
@settings(max_examples=60, deadline=None)
def test_a_band_holds_the_rows_of_the_whole_image(
    tmp_path_factory: pytest.TempPathFactory, images: list[tuple[bytes, Any]], i: int, rows: tuple[int, int]
) -> None:
    top, bottom = rows
    reader = packed(tmp_path_factory.mktemp("band"), images)
    pixels, first = reader.band(i, top, bottom)
    whole = decode(images[i][0]).values
    np.testing.assert_array_equal(pixels.values[top - first : bottom - first], whole[top:bottom])
    assert len(pixels.values) == HEIGHT if images[i][1] is None else len(pixels.values) <= bottom - top + 32


def test_threads_share_a_reader(reader: ImageReader, images: list[tuple[bytes, Any]]) -> None:
    order = np.random.default_rng(0).permutation(np.tile(np.arange(4), 50)).tolist()
    with ThreadPoolExecutor(8) as pool:
        bands = list(pool.map(lambda i: reader.band(i, 20, 30), order))
    whole = [decode(data).values for data, _ in images]
    for i, (pixels, first) in zip(order, bands, strict=True):
        np.testing.assert_array_equal(pixels.values[20 - first : 30 - first], whole[i][20:30])


def test_files_are_closed_with_their_reader(tmp_path: Path, images: list[tuple[bytes, Any]]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader = packed(tmp_path, images)
    reader.band(0, 0, 10)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del reader
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_more_shards_than_may_stay_open(
    tmp_path: Path, images: list[tuple[bytes, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MAX_OPEN", 1)
    store = shards.Shards(ranges.Ranges())
    for _ in range(2):
        for k in range(3):
            packed(tmp_path, images[k:], f"{k}.tar")
            assert store.payload(str(tmp_path / f"{k}.tar"), 4, len(images[k][0])) == images[k][0]
    assert len(store._ranges._files) == 1


def test_a_sample_without_bytes_is_a_reason(tmp_path: Path) -> None:
    reader = ImageReader(pa.array([{"root": "r", "container": "packed"}], IMAGE), {"r": str(tmp_path)})
    for read in (reader.payload, reader.pixels, lambda i: reader.band(i, 0, 1)):
        with pytest.raises(DecodeError, match="not in the shards"):
            read(0)


def test_a_shard_that_was_cut_names_path_and_offset(reader: ImageReader, tmp_path: Path, images: Any) -> None:
    shard = tmp_path / "shard.tar"
    at = 4 + sum(len(data) for data, _ in images[:3])
    os.truncate(shard, at + 100)
    for read in (reader.payload, reader.pixels, lambda i: reader.band(i, 0, HEIGHT)):
        with pytest.raises(DecodeError, match=rf"{shard}, byte {at:,}: the file ends before byte"):
            read(3)
    reader.pixels(0)


@pytest.mark.parametrize("where", ["header", "rows"])
def test_a_damaged_shard_names_path_and_offset(tmp_path: Path, images: list[tuple[bytes, Any]], where: str) -> None:
    reader, shard = packed(tmp_path, images), tmp_path / "shard.tar"
    data, offsets = images[0]
    start = 4 if where == "header" else 4 + int(offsets[0])
    damaged = bytearray(shard.read_bytes())
    damaged[start : 4 + len(data)] = bytes(4 + len(data) - start)
    shard.write_bytes(damaged)
    for read in (reader.pixels, lambda i: reader.band(i, 0, 40)):
        with pytest.raises(DecodeError, match=rf"{shard}, byte 4: "):
            read(0)
    reader.pixels(2)


def test_a_missing_shard_is_a_reason(tmp_path: Path, images: list[tuple[bytes, Any]]) -> None:
    reader = packed(tmp_path, images)
    (tmp_path / "shard.tar").unlink()
    with pytest.raises(DecodeError, match=r"file is missing: shard\.tar"):
        reader.payload(0)
    with pytest.raises(DecodeError, match=r"shard\.tar cannot be read: No such file"):
        reader.band(0, 0, 8)


WRONG = {
    "no Arrow file": lambda shard, bands: companion_of(shard).write_bytes(b"ARROW1 no more"),
    "empty": lambda shard, bands: companion_of(shard).write_bytes(b""),
    "too few images": lambda shard, bands: write_companion(shard, bands[:1]),
    "another order": lambda shard, bands: write_companion(shard, bands[::-1]),
    "rows that go back": lambda shard, bands: write_companion(shard, [*bands[:3], bands[3][::-1]]),
    "other columns": lambda shard, bands: _other_columns(shard),
}


def _other_columns(shard: Path) -> None:
    table = pa.table({"rows": [1, 2, 3, 4]})
    with pa.OSFile(str(companion_of(shard)), "wb") as f, pa.ipc.new_file(f, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_companion_is_an_error_not_a_wrong_image(tmp_path: Path, images: Any, what: str) -> None:
    reader = packed(tmp_path, images)
    WRONG[what](tmp_path / "shard.tar", [offsets for _, offsets in images])
    with pytest.raises(DataError, match=r"shard\.rows\.arrow is damaged or belongs to another shard") as e:
        reader.band(3, 0, 8)
    assert not isinstance(e.value, DecodeError)  # not one image is at fault
    reader.pixels(3)


def test_a_missing_companion_is_an_error(reader: ImageReader, tmp_path: Path) -> None:
    companion_of(tmp_path / "shard.tar").unlink()
    with pytest.raises(DataError, match=r"shard\.rows\.arrow is missing"):
        reader.band(0, 0, 8)
