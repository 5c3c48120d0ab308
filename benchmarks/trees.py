"""Synthetic trees, archives and tables of ImageNet's proportions."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from sightline.samples import IMAGE, SCHEMA, Classes, SampleTable, sample_id_of

IMAGENET = 1_281_167
CLASSES = 1000
BLOCK = 512


def small_jpeg() -> bytes:
    """A JPEG of 8 × 8 pixels."""
    stream = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(stream, "JPEG", quality=30)
    return stream.getvalue()


def name_of(i: int, count: int) -> str:
    """Name of the image at a position, class after class."""
    wnid = f"n{i * CLASSES // count + 1_440_764:08d}"
    return f"{wnid}/{wnid}_{i * 7919 % 100_003}_{i}.JPEG"


def write_files(folder: Path, count: int) -> Path:
    """Class folders with small JPEGs, and their folder; written once."""
    if not (folder.with_suffix(".done")).exists():
        data = small_jpeg()
        for i in range(count):
            path = folder / name_of(i, count)
            if i == 0 or path.parent.name != name_of(i - 1, count)[:9]:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        folder.with_suffix(".done").touch()
    return folder


def write_tar(path: Path, count: int, kind: int) -> Path:
    """A tar of class folders with small JPEGs, and its path; written once."""
    if path.exists():
        return path
    data = small_jpeg()
    padded = data + bytes(-len(data) % BLOCK)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as f:
        for i in range(count):
            info = tarfile.TarInfo(name_of(i, count))
            info.size = len(data)
            info.mtime = 1.5 + i if kind == tarfile.PAX_FORMAT else 1  # a fraction is what makes a PAX header
            f.write(info.tobuf(kind) + padded)
        f.write(bytes(2 * BLOCK))
    return temporary.replace(path)


def imagenet_table(count: int, *, is_read: bool) -> SampleTable:
    """A sample table as ImageNet's train tar gives it, with random sizes; `is_read` adds hashes and pixel sums."""
    rng = np.random.default_rng(0)
    names = [name_of(i, count) for i in range(count)]
    keys = [f"train/{name}" for name in names]
    lengths = rng.lognormal(11.5, 0.5, count).astype(np.int64)
    starts = np.cumsum((lengths + BLOCK - 1) // BLOCK * BLOCK + BLOCK) - (lengths + BLOCK - 1) // BLOCK * BLOCK
    common = rng.random(count) < 0.6  # many photographs are 500 pixels wide
    width = np.where(common, 500, rng.integers(200, 1000, count))
    height = np.where(common, 375, rng.integers(200, 1000, count))
    image = {
        "root": "source", "path": "ILSVRC2012_img_train.tar", "container": "tar.tar", "member": names,
        "offset": starts, "length": lengths, "codec": "jpeg", "width": width, "height": height, "mode": "RGB",
        "bits": 8,
    }  # fmt: skip
    fields = [
        pa.array([v] * count, IMAGE.field(name).type) if isinstance(v := image.get(name), str | int | None)
        else pa.array(v, IMAGE.field(name).type)
        for name in (f.name for f in IMAGE)
    ]  # fmt: skip
    labels = np.arange(count, dtype=np.int64) * CLASSES // count
    columns = {
        "sample_id": [sample_id_of("", key) for key in keys], "key": keys, "ordinal": np.arange(count),
        "dataset": [""] * count, "split": ["train"] * count, "group_id": keys, "label": labels,
        "image": pa.StructArray.from_arrays(fields, fields=list(IMAGE)), "status": ["ok"] * count,
    }  # fmt: skip
    if is_read:
        pixels = (width * height).astype(np.int64)
        sums = (pixels[:, None] * rng.normal(115, 30, (count, 3))).astype(np.int64)
        squares = (pixels[:, None] * rng.normal(17_000, 5_000, (count, 3))).astype(np.int64)
        digests = rng.integers(0, 256, (2, count, 32), dtype=np.uint8)
        columns |= {
            "content_sha256": [d.tobytes() for d in digests[0]], "pixel_sha256": [d.tobytes() for d in digests[1]],
            "pixel_sums": [{"num_pixels": int(n), "sums": s, "squares": q}
                           for n, s, q in zip(pixels, sums.tolist(), squares.tolist(), strict=True)],
        }  # fmt: skip
    table = pa.table([
        pa.nulls(count, f.type) if f.name not in columns
        else columns[f.name] if f.name == "image" else pa.array(columns[f.name], f.type)
        for f in SCHEMA
    ], schema=SCHEMA)  # fmt: skip
    ids = tuple(dict.fromkeys(name[:9] for name in names))
    return SampleTable(table, Classes(ids, ids, "lexicographic"), "imagenet-like", {"source": "/data"})
