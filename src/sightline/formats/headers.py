"""What the first bytes of every image of a listing say, read in parallel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DecodeError
from sightline.formats.listing import Listing
from sightline.images import Header, ImageReader, resolve_root, sniff
from sightline.images.containers import CONTAINERS
from sightline.images.decoding import jpeg_header
from sightline.images.ranges import Ranges
from sightline.images.reading import HEAD_BYTES
from sightline.progress import progress
from sightline.samples import IMAGE

FIELDS = ("codec", "width", "height", "mode", "bits", "exif_orientation")

BLOCK = 256
"""Images that one thread looks at before it takes others."""
FIRST_BYTES = 4096
"""What is read first: it holds the header of a plain JPEG, and is one page of the disk's cache."""

Result = Header | str
"""A header, or the reason why there is none."""


def read_headers(listing: Listing) -> list[Result]:
    """Header of each image in the listing's order, or why it cannot be read."""
    n = len(listing.keys)
    results: list[Result] = [""] * n
    # Threads: opening files waits for the disk, and the system's part of it runs beside Python's.
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool, progress("headers", n) as advance:
        for window in _windows(_work(listing), 64):
            for positions, found in pool.map(lambda w: (w[0], w[1]()), window):
                if isinstance(positions, range):
                    results[positions.start : positions.stop] = found
                else:
                    for i, result in zip(positions, found, strict=True):
                        results[i] = result
                advance(len(found))
    return results


Work = tuple[Sequence[int], Callable[[], list[Result]]]
"""Positions of some images, and a function that returns their headers."""


def _work(listing: Listing) -> Iterator[Work]:
    container = listing.images["container"]
    kinds = {container} if isinstance(container, str) else set(container)
    is_local = not any("://" in address for address in listing.roots.values())
    if kinds == {"parquet"}:
        return _parquet_work(listing)
    if kinds == {"file"} and is_local:
        return _file_work(listing)
    places = [listing.images.get(name) for name in ("offset", "length")]
    is_range = not kinds & {"file", "packed", *CONTAINERS} and all(isinstance(v, list) for v in places)
    return _range_work(listing) if is_range and is_local else _other_work(listing)


def _windows(work: Iterator[Work], size: int) -> Iterator[list[Work]]:
    """Pieces of work a few at a time, so that a million images do not wait as a million futures."""
    window: list[Work] = []
    for item in work:
        window.append(item)
        if len(window) == size:
            yield window
            window = []
    yield window


def _paths(listing: Listing, positions: Sequence[int]) -> list[str]:
    roots = {alias: f"{resolve_root(address)}/" for alias, address in listing.roots.items()}
    paths, root = listing.images["path"], listing.images["root"]
    if isinstance(root, str):
        alias = roots[root]
        return [alias + (paths if isinstance(paths, str) else paths[i]) for i in positions]
    return [roots[root[i]] + (paths if isinstance(paths, str) else paths[i]) for i in positions]


def _file_work(listing: Listing) -> Iterator[Work]:
    n = len(listing.keys)
    for start in range(0, n, BLOCK):
        block = range(start, min(start + BLOCK, n))
        files = _paths(listing, block)
        yield block, lambda files=files: [_of_file(f) for f in files]  # type: ignore[misc]


def _of_file(path: str) -> Result:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            quick = jpeg_header(os.read(file, FIRST_BYTES))
            if quick is not None:
                return quick
        finally:
            os.close(file)
        with open(path, "rb") as f:
            return sniff(f)
    except DecodeError as e:
        return str(e)
    except FileNotFoundError:
        return f"file is missing: {os.path.basename(path)}"
    except OSError as e:
        return f"cannot be read: {e.strerror or e}"


def _range_work(listing: Listing) -> Iterator[Work]:
    """Byte ranges of files, file by file in the order of their bytes: an archive is read from front to back."""
    n = len(listing.keys)
    starts, lengths = (np.asarray(listing.images[name], np.int64) for name in ("offset", "length"))
    paths = listing.images["path"]
    order = np.argsort(starts, kind="stable")
    if not isinstance(paths, str):
        files = {path: i for i, path in enumerate(dict.fromkeys(paths))}
        order = order[np.argsort(np.asarray([files[p] for p in paths])[order], kind="stable")]
    ranges = Ranges()
    for start in range(0, n, BLOCK):
        block = order[start : start + BLOCK].tolist()
        places = list(zip(_paths(listing, block), starts[block].tolist(), lengths[block].tolist(), strict=True))
        yield block, lambda places=places: [_of_range(ranges, *place) for place in places]  # type: ignore[misc]


def _of_range(ranges: Ranges, path: str, start: int, length: int) -> Result:
    try:
        # What is behind the header is not read: it would be most of the archive.
        head = ranges.read(path, start, start + min(length, FIRST_BYTES))
        quick = jpeg_header(head)
        if quick is not None:
            return quick
        if length > HEAD_BYTES:
            with suppress(DecodeError):  # metadata longer than the head
                return sniff(ranges.read(path, start, start + HEAD_BYTES))
        return sniff(ranges.read(path, start, start + length))
    except DecodeError as e:
        return str(e)
    except FileNotFoundError:
        return f"file is missing: {os.path.basename(path)}"
    except OSError as e:
        return f"cannot be read: {e.strerror or e}"


def _other_work(listing: Listing) -> Iterator[Work]:
    n = len(listing.keys)
    # What is fetched waits for the network, so that few images are much work.
    step = 32 if any("://" in address for address in listing.roots.values()) else 1024
    for start in range(0, n, step):
        block = range(start, min(start + step, n))
        values = {f.name: listing.images.get(f.name) for f in IMAGE}
        columns = [
            pa.array([v[i] for i in block] if isinstance(v, list) else [v] * len(block), IMAGE.field(name).type)
            for name, v in values.items()
        ]
        reader = ImageReader(pa.StructArray.from_arrays(columns, fields=list(IMAGE)), listing.roots)
        yield block, lambda reader=reader: [_of_reader(reader, i) for i in range(len(reader))]  # type: ignore[misc]


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
        yield range(start, stop), lambda place=place: _of_group(*place)  # type: ignore[misc]
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
