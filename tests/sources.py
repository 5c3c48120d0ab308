"""Small sources and odd images that several test files need."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def encoded(image: Image.Image, codec: str, **options: Any) -> bytes:
    """An image's encoded bytes."""
    stream = io.BytesIO()
    image.save(stream, codec, **options)
    return stream.getvalue()


def picture(height: int = 12, width: int = 16, channels: int = 3, seed: int = 0) -> np.ndarray[Any, Any]:
    """Random uint8 pixels."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def jpeg(seed: int = 0, height: int = 12, width: int = 16) -> bytes:
    """A plain colour JPEG."""
    return encoded(Image.fromarray(picture(height, width, seed=seed)), "JPEG", quality=95)


def png16(height: int = 3, width: int = 4) -> bytes:
    """A 16-bit grey PNG of the values 0, 5000, 10000, …"""
    values = (np.arange(height * width, dtype=np.uint16) * 5000).reshape(height, width)
    return encoded(Image.fromarray(values), "PNG")


def exif_jpeg(orientation: int = 6) -> bytes:
    """A JPEG that wants to be rotated before it is shown."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(picture()), "JPEG", exif=exif)


def palette_alpha_png() -> bytes:
    """A palette PNG whose colour 0 is transparent."""
    image = Image.fromarray(picture(channels=1) % 4, "L").convert("P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    return encoded(image, "PNG", transparency=0)


ODD_BUT_READABLE: Mapping[str, tuple[bytes, str, str, int, int | None]] = {
    "cmyk.jpg": (encoded(Image.fromarray(picture(channels=4), "CMYK"), "JPEG"), "jpeg", "CMYK", 8, None),
    "palette_alpha.png": (palette_alpha_png(), "png", "P", 8, None),
    "grey.jpg": (encoded(Image.fromarray(picture(channels=1)), "JPEG"), "jpeg", "L", 8, None),
    "sixteen.png": (png16(), "png", "I;16", 16, None),
    "rotated.jpg": (exif_jpeg(), "jpeg", "RGB", 8, 6),
    "png_named.jpg": (encoded(Image.fromarray(picture()), "PNG"), "png", "RGB", 8, None),
    "no_suffix": (jpeg(), "jpeg", "RGB", 8, None),
}
"""File name → bytes, and what the header says: codec, mode, bits, EXIF orientation."""

UNREADABLE: Mapping[str, tuple[bytes, str]] = {
    "zero.jpg": (b"", "empty file"),
    "words.jpg": (b"this is no image at all", "not an image"),
    "cut_header.jpg": (jpeg()[:20], "damaged jpeg"),
    "cut_header.png": (encoded(Image.fromarray(picture()), "PNG")[:20], "damaged png"),
}
"""File name → bytes, and how the reason begins; known from the header alone."""

TRUNCATED: Mapping[str, bytes] = {
    "half.jpg": jpeg(height=64, width=64)[:-1500],
    "half.png": encoded(Image.fromarray(picture(64, 64)), "PNG")[:-4000],
}
"""Files whose header is fine and whose pixels end too early: only a full read can tell."""


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by relative path, and return the folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def idx_bytes(values: np.ndarray[Any, Any]) -> bytes:
    """An array as IDX."""
    kinds = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}
    head = bytes([0, 0, kinds[str(values.dtype)], values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.astype(values.dtype.newbyteorder(">")).tobytes()


def write_idx(
    folder: Path, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], stem: str = "train", gz: bool = True
) -> Path:
    """Write an IDX pair, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, values in (("images-idx3", images), ("labels-idx1", labels)):
        data = idx_bytes(values)
        name = f"{stem}-{what}-ubyte" + (".gz" if gz else "")
        (folder / name).write_bytes(gzip.compress(data) if gz else data)
    return folder


def write_hub(
    file: Path, images: Sequence[bytes | None], labels: Sequence[Any], *, paths: Sequence[str | None] | None = None,
    column: str = "image", row_group_size: int = 4, metadata: dict[str, str] | None = None, **more: Sequence[Any],
) -> Path:  # fmt: skip
    """Write Parquet as hubs do, and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    structs = [{"bytes": b, "path": p} for b, p in zip(images, paths or [None] * len(images), strict=True)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({column: pa.array(structs, kind), "label": labels, **more})
    pq.write_table(table.replace_schema_metadata(metadata), file, row_group_size=row_group_size)
    return file
