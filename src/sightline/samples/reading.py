"""The first full read: every image decoded once, for its hashes, its pixel sums and its status."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import DecodeError
from sightline.images import ImageReader, Pixels
from sightline.images.upright import oriented
from sightline.progress import progress
from sightline.samples.schema import SCHEMA

R = TypeVar("R")

BLOCK = 1024
"""Rows that are read before what they gave is put away."""

FEW = 16
"""Rows that one thread takes at a time."""


class Fingerprint(NamedTuple):
    """What the first full read fills in of one row."""

    status: str
    reason: str | None
    content_sha256: bytes | None = None
    pixel_sha256: bytes | None = None
    pixel_sums: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """What reading one image gave."""

    payload: bytes | None
    pixels: Pixels | None
    reason: str | None
    """Why there are no pixels."""


def read_image(reader: ImageReader, i: int, pixels: Callable[[int, bytes], Pixels] | None = None) -> Image:
    """Payload and pixels of sample `i`, as far as they can be had; `pixels` decodes in place of the reader."""
    payload = None
    try:
        payload = reader.payload(i)
        return Image(payload, (pixels or reader.pixels)(i, payload), None)
    except DecodeError as e:
        return Image(payload, None, str(e))


def fingerprint_of(image: Image, sums: Callable[[Pixels], dict[str, Any]] | None = None) -> Fingerprint:
    """The columns that a full read of this image fills in; `sums` in place of `pixel_sums_of` must give the same."""
    content = hashlib.sha256(image.payload).digest() if image.payload is not None else None
    if image.pixels is None:
        return Fingerprint("unreadable", image.reason, content)
    return Fingerprint("ok", None, content, pixel_sha256_of(image.pixels), (sums or pixel_sums_of)(image.pixels))


def work_through(n: int, work: Callable[[int], R], label: str) -> Iterator[list[R]]:
    """What `work` gives for each of `n` rows, in order, `BLOCK` rows at a time, on all cores."""
    # Threads: decoding and hashing release the GIL; blocks keep 1.28 M futures from being made at once.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress(label, n) as advance:
        for start in range(0, n, BLOCK):
            block = range(start, min(start + BLOCK, n))
            # A few rows at a time: handing out single ones costs as much as looking at a small image.
            few = [block[i : i + FEW] for i in range(0, len(block), FEW)]
            yield [found for part in pool.map(lambda rows: [work(i) for i in rows], few) for found in part]
            advance(len(block))


def full_read(table: pa.Table, reader: ImageReader) -> pa.Table:
    """A table of `SCHEMA` with its fingerprints filled in; what cannot be decoded becomes a row with a reason."""
    status = table["status"].to_pylist()

    def read_one(i: int) -> Fingerprint | None:
        return fingerprint_of(read_image(reader, i)) if status[i] == "ok" else None

    return with_fingerprints(table, [fingerprints_to_arrow(b) for b in work_through(len(table), read_one, "read")])


def fingerprints_to_arrow(block: Sequence[Fingerprint | None]) -> pa.Table:
    """The columns of some rows, with a further one that says which were read; others are null throughout."""
    columns = {name: pa.array([None if f is None else f[k] for f in block], _flat(SCHEMA.field(name).type))
               for k, name in enumerate(Fingerprint._fields)}  # fmt: skip
    return pa.table(columns | {"was_read": pa.array([f is not None for f in block])})


def with_fingerprints(table: pa.Table, blocks: Sequence[pa.Table]) -> pa.Table:
    """A table of `SCHEMA` with the fingerprints of its rows, in order; rows that were not read stay as they are."""
    read = pa.concat_tables(blocks)
    was_read = read["was_read"].combine_chunks()
    for name in Fingerprint._fields:
        i = SCHEMA.get_field_index(name)
        column = read[name].combine_chunks()
        if not pc.all(was_read).as_py():
            former = table[name].combine_chunks().cast(column.type)
            column = pc.if_else(was_read, column, former)
        table = table.set_column(i, SCHEMA.field(i), column.cast(SCHEMA.field(i).type))
    return table


def _flat(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def pixel_sha256_of(pixels: Pixels) -> bytes:
    """The column `pixel_sha256`: hash of decoded pixels, turned as EXIF says, with their shape and depth."""
    values = np.ascontiguousarray(oriented(pixels.values, pixels.orientation))
    h = hashlib.sha256(f"{pixels.bits} {values.shape} 1".encode())  # 1: upright
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
