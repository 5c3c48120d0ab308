"""What the first bytes of every image of a listing say, read in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DecodeError
from sightline.formats.listing import Listing
from sightline.images import Header, ImageReader, resolve_root, sniff
from sightline.progress import progress
from sightline.samples import IMAGE

FIELDS = ("codec", "width", "height", "mode", "bits", "exif_orientation")

Result = Header | str
"""A header, or the reason why there is none."""


def read_headers(listing: Listing) -> list[Result]:
    """Header of each image in the listing's order, or why it cannot be read."""
    n = len(listing.keys)
    results: list[Result] = [""] * n
    # Threads: opening files waits for the disk; what remains of Python's lock allows 20,000 headers/s.
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool, progress("headers", n) as advance:
        container = listing.images["container"]
        works = {"parquet": _parquet_work, "file": _file_work}
        work = works.get(container if isinstance(container, str) else "", _other_work)(listing)
        for window in _windows(work, 64):
            for start, found in pool.map(lambda w: (w[0], w[1]()), window):
                results[start : start + len(found)] = found
                advance(len(found))
    return results


Work = tuple[int, Any]
"""Position of the first result, and a function that returns the results."""


def _windows(work: Iterator[Work], size: int) -> Iterator[list[Work]]:
    """Pieces of work a few at a time, so that a million images do not wait as a million futures."""
    window: list[Work] = []
    for item in work:
        window.append(item)
        if len(window) == size:
            yield window
            window = []
    yield window


def _file_work(listing: Listing) -> Iterator[Work]:
    roots = {alias: resolve_root(address) for alias, address in listing.roots.items()}
    paths, root = listing.images["path"], listing.images["root"]
    for start in range(0, len(paths), 64):
        block = range(start, min(start + 64, len(paths)))
        files = [roots[root if isinstance(root, str) else root[i]] / paths[i] for i in block]
        yield start, lambda files=files: [_of_file(f) for f in files]


def _of_file(path: Path) -> Result:
    try:
        with path.open("rb") as f:
            return sniff(f)
    except DecodeError as e:
        return str(e)
    except FileNotFoundError:
        return f"file is missing: {path.name}"
    except OSError as e:
        return f"cannot be read: {e.strerror or e}"


def _other_work(listing: Listing) -> Iterator[Work]:
    n = len(listing.keys)
    for start in range(0, n, 1024):
        block = range(start, min(start + 1024, n))
        values = {f.name: listing.images.get(f.name) for f in IMAGE}
        columns = [
            pa.array([v[i] for i in block] if isinstance(v, list) else [v] * len(block), IMAGE.field(name).type)
            for name, v in values.items()
        ]
        reader = ImageReader(pa.StructArray.from_arrays(columns, fields=list(IMAGE)), listing.roots)
        yield start, lambda reader=reader: [_of_reader(reader, i) for i in range(len(reader))]


def _of_reader(reader: ImageReader, i: int) -> Result:
    try:
        head = reader.head(i)
        try:
            return sniff(head)
        except DecodeError:
            return sniff(reader.payload(i))  # metadata longer than the head
    except DecodeError as e:
        return str(e)


def _parquet_work(listing: Listing) -> Iterator[Work]:
    """One piece for each row group; a listing keeps the rows of a group together."""
    root = resolve_root(next(iter(listing.roots.values())))
    paths, members, groups, rows = (listing.images[f] for f in ("path", "member", "row_group", "row"))
    start, n = 0, len(paths)
    while start < n:
        stop = start
        while stop < n and paths[stop] == paths[start] and groups[stop] == groups[start]:
            stop += 1
        # A part of a source has some rows of a group, not all.
        place = root / paths[start], members[start], groups[start], rows[start:stop]
        yield start, lambda place=place: _of_group(*place)
        start = stop


def _of_group(path: Path, member: str, group: int, rows: list[int]) -> list[Result]:
    try:
        # A reader of its own for each piece: ParquetFile is not meant to be shared between threads.
        table = pq.ParquetFile(path).read_row_group(group, columns=[member], use_threads=False)
    except (pa.ArrowInvalid, OSError) as e:
        return [f"damaged Parquet file: {e}"] * len(rows)
    values = table.column(0).combine_chunks()
    for name in member.split(".")[1:]:
        values = values.field(name)
    return [_of_bytes(v) for v in values.take(pa.array(rows)).to_pylist()]


def _of_bytes(data: bytes | None) -> Result:
    if data is None:
        return "no bytes in this row"
    try:
        return sniff(data)
    except DecodeError as e:
        return str(e)
