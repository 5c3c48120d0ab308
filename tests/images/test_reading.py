"""One reference column, four containers: payload and pixels of each, and what happens to missing ones."""

from __future__ import annotations

import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sightline.errors import DataError, DecodeError
from sightline.images import ImageReader, decode, resolve_root
from sightline.images.containers import RANGES, arrays, parquet
from sightline.samples import IMAGE
from tests.sources import idx_bytes, jpeg, picture, write_files, write_hub


def reader(folder: Path, *references: dict[str, Any]) -> ImageReader:
    return ImageReader(pa.array([{"root": "r"} | r for r in references], IMAGE), {"r": str(folder)})


def test_files(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": jpeg(1), "a/2.jpg": jpeg(2)})
    r = reader(tmp_path, *({"path": f"a/{i}.jpg", "container": "file"} for i in (1, 2, 3)))
    assert len(r) == 3
    assert [r.payload(0), r.payload(1)] == [jpeg(1), jpeg(2)]
    assert r.path(1) == tmp_path / "a/2.jpg"
    with pytest.raises(DecodeError, match=r"file is missing: 3\.jpg"):
        r.payload(2)


@pytest.mark.parametrize("gz", [True, False])
def test_idx(tmp_path: Path, gz: bool) -> None:
    images = np.stack([picture(3, 5, 1, i) for i in range(4)])
    name = "x.gz" if gz else "x"
    write_files(tmp_path, {name: gzip.compress(idx_bytes(images)) if gz else idx_bytes(images)})
    common = {"path": name, "container": "idx", "length": 15, "codec": "raw", "layout": "u1:3,5"}
    r = reader(tmp_path, *({**common, "offset": 16 + 15 * i} for i in range(5)))
    for i in range(4):
        np.testing.assert_array_equal(r.pixels(i).values[:, :, 0], images[i])
    with pytest.raises(DecodeError, match="ends before byte"):
        r.payload(4)


def test_damaged_gzip_is_a_reason(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(bytes(range(256)) * 100))
    data[20] ^= 0xFF
    write_files(tmp_path, {"bad.gz": bytes(data), "cut.gz": bytes(data[:30]), "zero": b""})
    for name in ("bad.gz", "cut.gz", "zero"):
        r = reader(tmp_path, {"path": name, "container": "idx", "offset": 0, "length": 4})
        with pytest.raises(DecodeError):
            r.payload(0)


def test_a_container_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_BYTES", 1000)
    write_files(tmp_path, {"x.gz": gzip.compress(bytes(2000))})
    with pytest.raises(DecodeError, match="unpacks to more than 1,000"):
        reader(tmp_path, {"path": "x.gz", "container": "idx", "offset": 0, "length": 4}).payload(0)


def test_csv_of_small_integers(tmp_path: Path) -> None:
    rows = np.arange(10).reshape(2, 5) % 17
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",", fmt="%d")
    common = {"path": "d.csv", "container": "csv", "length": 4, "codec": "raw", "layout": "u1/16:2,2"}
    r = reader(tmp_path, {**common, "offset": 0}, {**common, "offset": 5})
    np.testing.assert_array_equal(r.pixels(1).values.ravel(), np.round(rows[1, :4] * 255 / 16).astype(np.uint8))


def _rows(count: int, size: int) -> list[dict[str, Any]]:
    return [
        {"path": "a.parquet", "container": "parquet", "member": "image.bytes", "row_group": i // size, "row": i % size}
        for i in range(count)
    ]


def test_parquet(tmp_path: Path) -> None:
    images = [jpeg(i) for i in range(7)]
    write_hub(tmp_path / "a.parquet", [*images, None], [0] * 8, row_group_size=3)
    r = reader(tmp_path, *_rows(8, 3))
    assert [r.payload(i) for i in (6, 0, 3, 1)] == [images[i] for i in (6, 0, 3, 1)]
    with pytest.raises(DecodeError, match="no bytes in this row"):
        r.payload(7)


def test_parquet_keeps_only_so_many_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [jpeg(i) for i in range(9)]
    write_hub(tmp_path / "a.parquet", images, [0] * 9, row_group_size=3)
    monkeypatch.setattr(parquet, "CACHE_BYTES", 1)
    r = reader(tmp_path, *_rows(9, 3))
    assert [r.payload(i) for i in (0, 8, 4, 0)] == [images[i] for i in (0, 8, 4, 0)]
    assert len(r._containers["parquet"]._groups) == 1


def test_damaged_parquet_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DecodeError, match="damaged Parquet"):
        reader(tmp_path, *_rows(1, 1)).payload(0)


def test_threads_share_a_reader(tmp_path: Path) -> None:
    images = [jpeg(i) for i in range(40)]
    write_hub(tmp_path / "a.parquet", images, [0] * 40, row_group_size=3)
    r = reader(tmp_path, *_rows(40, 3))
    order = np.random.default_rng(0).permutation(np.tile(np.arange(40), 5))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(r.payload, order.tolist())) == [images[i] for i in order]


def test_pixels_from_a_payload_read_before(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.jpg": jpeg(1)})
    r = reader(tmp_path, {"path": "1.jpg", "container": "file"})
    payload = r.payload(0)
    (tmp_path / "1.jpg").unlink()
    assert r.pixels(0, payload).values.shape == (12, 16, 3)


def test_what_another_version_wrote_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Unknown container 'rat'"):
        reader(tmp_path, {"path": "x", "container": "rat"}).payload(0)
    write_files(tmp_path, {"x": bytes(4)})
    odd = {"path": "x", "container": "idx", "offset": 0, "length": 4, "codec": "raw", "layout": "f4:1"}
    with pytest.raises(DataError, match="Unknown raw layout"):
        reader(tmp_path, odd).pixels(0)


@pytest.mark.parametrize("container", sorted(RANGES))
def test_an_image_without_a_range_is_none(container: str, tmp_path: Path) -> None:
    with pytest.raises(DecodeError):
        reader(tmp_path, {"path": "x", "container": container}).payload(0)


def test_a_link_to_a_device_or_a_pipe_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("zero", "pipe"):
        with pytest.raises(DecodeError, match="not a file but a device or a pipe"):
            reader(tmp_path, {"path": name, "container": "file"}).payload(0)


def test_roots(tmp_path: Path) -> None:
    assert resolve_root(str(tmp_path)) == tmp_path
    assert (resolve_root("package:numpy") / "__init__.py").is_file()
    with pytest.raises(DataError, match="'no_such_package', which is not installed"):
        resolve_root("package:no_such_package")


def test_any_byte_range_is_read_whatever_its_container(tmp_path: Path) -> None:
    data = jpeg(3)
    (tmp_path / "x.tar").write_bytes(b"before" + data + b"after")
    r = reader(tmp_path, {"path": "x.tar", "container": "tar", "offset": 6, "length": len(data), "codec": "jpeg"},
               {"path": "x.tar", "container": "tfrecord", "offset": 6, "length": 10**6, "codec": "jpeg"},
               {"path": "x.tar", "container": "unheard of", "codec": "jpeg"})  # fmt: skip
    assert r.payload(0) == data
    assert np.array_equal(r.pixels(0).values, decode(data).values)
    with pytest.raises(DecodeError, match=r"x.tar, byte 6: the file ends before byte 1,000,006"):
        r.payload(1)
    with pytest.raises(DataError, match="Unknown container 'unheard of'"):
        r.payload(2)


@pytest.mark.parametrize(
    ("crop", "wanted"),
    [([1.2, 2.0, 5.0, 6.5], (slice(2, 7), slice(1, 5))), ([-3, -3, 100, 2], (slice(0, 2), slice(0, 20)))],
)
def test_a_crop_is_every_pixel_it_touches(tmp_path: Path, crop: list[float], wanted: tuple[slice, slice]) -> None:
    values = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    (tmp_path / "a.bin").write_bytes(values.tobytes())
    image = {"root": "r", "path": "a.bin", "container": "npy", "offset": 0, "length": values.size, "codec": "raw",
             "layout": "u1:16,20,3"}  # fmt: skip
    crops = pa.chunked_array([pa.array([crop, None, [30, 0, 31, 1]], pa.list_(pa.float32()))])
    r = ImageReader(pa.array([image] * 3, IMAGE), {"r": str(tmp_path)}, crops)
    assert np.array_equal(r.pixels(0).values, values[wanted])
    pixels, first = r.band(0, 1, 2)
    assert first == 0
    assert np.array_equal(pixels.values, values[wanted])
    assert np.array_equal(r.pixels(1).values, values)
    with pytest.raises(DecodeError, match="shows nothing of an image of 16 × 20"):
        r.pixels(2)
