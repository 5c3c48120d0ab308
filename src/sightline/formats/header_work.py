"""Images of a listing in pieces, each with a function that reads their headers, by what holds them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DecodeError
from sightline.formats.first_bytes import FIRST_BYTES, FLAGS
from sightline.formats.listing import Listing
from sightline.images import Header, ImageReader, resolve_root, sniff
from sightline.images.containers import CONTAINERS
from sightline.images.decoding import jpeg_header
from sightline.images.ranges import Ranges
from sightline.images.reading import HEAD_BYTES
from sightline.samples import IMAGE

BLOCK = 256
"""Images that one thread looks at before it takes others."""

Result = Header | str
"""A header, or the reason why there is none."""

Work = tuple[Sequence[int], Callable[[], list[Result]]]
"""Positions of some images, and a function that returns their headers."""


def _kinds(listing: Listing) -> set[str]:
    container = listing.images["container"]
    return {container} if isinstance(container, str) else set(container)


def _is_local(listing: Listing) -> bool:
    return not any("://" in address for address in listing.roots.values())


def are_files(listing: Listing) -> bool:
    """Whether all images are files on a disk."""
    return _kinds(listing) == {"file"} and _is_local(listing)


def are_ranges(listing: Listing) -> bool:
    """Whether all images are byte ranges of files on a disk."""
    places = [listing.images.get(name) for name in ("offset", "length")]
    is_range = not _kinds(listing) & {"file", "packed", *CONTAINERS} and all(isinstance(v, list) for v in places)
    return is_range and _is_local(listing)


def work_of(listing: Listing) -> Iterator[Work]:
    """The images of a listing in pieces."""
    kinds = _kinds(listing)
    if kinds == {"parquet"}:
        return _parquet_work(listing)
    if are_files(listing):
        return _file_work(listing)
    return _range_work(listing) if are_ranges(listing) else _other_work(listing)


def places_of(listing: Listing, positions: Sequence[int]) -> tuple[str, list[str]]:
    """A folder with a slash behind it, and the paths below it of images at positions."""
    roots = {alias: f"{os.path.abspath(resolve_root(address))}/" for alias, address in listing.roots.items()}
    paths, root = listing.images["path"], listing.images["root"]
    if isinstance(paths, str):
        chosen = [paths] * len(positions)
    elif isinstance(positions, range):
        chosen = paths[positions.start : positions.stop]
    else:
        chosen = [paths[i] for i in positions]
    if isinstance(root, str):
        return roots[root], chosen
    return "/", [(roots[root[i]] + path).removeprefix("/") for i, path in zip(positions, chosen, strict=True)]


def _file_work(listing: Listing) -> Iterator[Work]:
    n = len(listing.keys)
    for start in range(0, n, BLOCK):
        block = range(start, min(start + BLOCK, n))
        prefix, paths = places_of(listing, block)
        yield block, lambda prefix=prefix, paths=paths: [of_file(prefix + p) for p in paths]  # type: ignore[misc]


def _reason(error: DecodeError | OSError | ValueError, path: str) -> str:
    """Why there is no header."""
    if isinstance(error, FileNotFoundError):
        return f"file is missing: {os.path.basename(path)}"
    return f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def of_file(path: str) -> Result:
    """Header of an image file, or why there is none."""
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, FLAGS)) as file:
            head = file.read(FIRST_BYTES)
            file.seek(0)
            return jpeg_header(head) or sniff(file)
    except (DecodeError, OSError, ValueError) as e:  # ValueError: a NUL in the path
        return _reason(e, path)


def _range_work(listing: Listing) -> Iterator[Work]:
    ranges = Ranges()
    for block, file, places in range_blocks(listing, BLOCK):
        yield block, lambda file=file, places=places: [of_range(ranges, file, *p) for p in places]  # type: ignore[misc]


def range_blocks(listing: Listing, size: int) -> Iterator[tuple[list[int], str, list[tuple[int, int]]]]:
    """Positions, file and byte ranges of some images, file by file in the order of their bytes: archives are read from
    front to back."""
    starts, lengths = (np.asarray(listing.images[name], np.int64) for name in ("offset", "length"))
    paths = listing.images["path"]
    order = np.argsort(starts, kind="stable")
    files = np.zeros(len(order), np.int64)
    if not isinstance(paths, str):
        known = {path: i for i, path in enumerate(dict.fromkeys(paths))}
        order = order[np.argsort(np.asarray([known[p] for p in paths], np.int64)[order], kind="stable")]
        files = np.asarray([known[p] for p in paths], np.int64)[order]
    for part in np.split(order, np.flatnonzero(np.diff(files)) + 1):
        for start in range(0, len(part), size):
            block = part[start : start + size].tolist()
            prefix, chosen = places_of(listing, block[:1])
            yield block, prefix + chosen[0], list(zip(starts[block].tolist(), lengths[block].tolist(), strict=True))


def of_range(ranges: Ranges, path: str, start: int, length: int) -> Result:
    """Header of an image in a byte range of a file, or why there is none."""
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
    except (DecodeError, OSError) as e:
        return _reason(e, path)


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
