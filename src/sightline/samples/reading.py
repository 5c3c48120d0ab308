"""The first full read: every image decoded once, for its hashes, its pixel sums and its status."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.errors import DecodeError
from sightline.images import ImageReader, Pixels
from sightline.progress import progress
from sightline.samples.schema import SCHEMA


def full_read(table: pa.Table, reader: ImageReader) -> pa.Table:
    """A table of `SCHEMA` with its fingerprints filled in; what cannot be decoded becomes a row with a reason."""
    n = len(table)
    content: list[bytes | None] = [None] * n
    pixel: list[bytes | None] = [None] * n
    sums: list[dict[str, Any] | None] = [None] * n
    status, reason = table["status"].to_pylist(), table["reason"].to_pylist()

    def read_one(i: int) -> None:
        if status[i] != "ok":
            return
        try:
            payload = reader.payload(i)
            content[i] = hashlib.sha256(payload).digest()
            pixels = reader.pixels(i, payload)
        except DecodeError as e:
            status[i], reason[i] = "unreadable", str(e)
            return
        pixel[i], sums[i] = pixel_sha256_of(pixels), pixel_sums_of(pixels)

    # Threads: decoding and hashing release the GIL; slices keep 1.28 M futures from being made at once.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress("read", n) as advance:
        for start in range(0, n, 1024):
            block = range(start, min(start + 1024, n))
            for _ in pool.map(read_one, block):
                pass
            advance(len(block))
    read = {"status": status, "reason": reason, "content_sha256": content, "pixel_sha256": pixel, "pixel_sums": sums}
    for name, values in read.items():
        i = SCHEMA.get_field_index(name)
        table = table.set_column(i, SCHEMA.field(i), pa.array(values, SCHEMA.field(i).type))
    return table


def pixel_sha256_of(pixels: Pixels) -> bytes:
    """The column `pixel_sha256`: hash of native pixels with their shape, depth and orientation."""
    values = np.ascontiguousarray(pixels.values)
    h = hashlib.sha256(f"{pixels.bits} {values.shape} {pixels.orientation}".encode())
    h.update(values.data)
    return h.digest()


def pixel_sums_of(pixels: Pixels) -> dict[str, Any]:
    """The column `pixel_sums`: exact Σx and Σx² of the colour channels; alpha is no colour."""
    values = pixels.values  # int64 holds the sums of 2³¹ pixels of 16 bits
    colours = values[..., : 3 if values.shape[2] >= 3 else 1].reshape(values.shape[0] * values.shape[1], -1)
    if values.dtype == np.uint8:
        levels = np.arange(256, dtype=np.int64)
        histograms = [np.bincount(colours[:, c], minlength=256) for c in range(colours.shape[1])]
        totals = [(int(h @ levels), int(h @ (levels * levels))) for h in histograms]
    else:
        wide = colours.astype(np.int64)
        totals = [(int(wide[:, c].sum()), int((wide[:, c] ** 2).sum())) for c in range(wide.shape[1])]
    return {"num_pixels": colours.shape[0], "sums": [a for a, _ in totals], "squares": [b for _, b in totals]}
