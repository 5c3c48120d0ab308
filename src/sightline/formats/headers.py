"""What the first bytes of every image of a listing say, read in parallel."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DecodeError
from sightline.formats.first_bytes import FIRST_BYTES, FLAGS
from sightline.formats.listing import Listing
from sightline.formats.looking import PER_REQUEST, Lookers, Looks
from sightline.images import Header, ImageReader, resolve_root, sniff
from sightline.images.containers import CONTAINERS
from sightline.images.decoding import header_of_jpeg, jpeg_header
from sightline.images.ranges import Ranges
from sightline.images.reading import HEAD_BYTES
from sightline.progress import progress
from sightline.samples import IMAGE

FIELDS = ("codec", "width", "height", "mode", "bits", "exif_orientation")

BLOCK = 256
"""Images that one thread looks at before it takes others."""
MANY = 4096
"""Files from which on processes are started: they are there after 15 ms, in which threads read 600 headers."""

Result = Header | str
"""A header, or the reason why there is none."""


def read_headers(listing: Listing) -> list[Result]:
    """Header of each image in the listing's order, or why it cannot be read."""
    return next(found for _, found in with_headers([listing], len(listing.keys)))


def with_headers(listings: Iterable[Listing], total: int = 0) -> Iterator[tuple[Listing, list[Result]]]:
    """Each of a source's listings with the headers of its images; the next ones are taken while headers are read.

    `total` is how many images there are, 0 where nobody knows.
    """
    rest = iter(listings)
    first = next(rest, None)
    if first is None:
        return
    every = chain([first], rest)
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool, progress("headers", total) as advance:
        if _are_files(first) and len(first.keys) >= MANY and sys.executable:
            yield from _by_processes(every, pool, advance)
            return
        for listing in every:
            yield listing, _by_threads(listing, pool, advance)


def _by_threads(listing: Listing, pool: ThreadPoolExecutor, advance: Callable[[int], None]) -> list[Result]:
    results: list[Result] = [""] * len(listing.keys)
    for window in _windows(_work(listing), 64):
        for positions, found in pool.map(lambda w: (w[0], w[1]()), window):
            if isinstance(positions, range):
                results[positions.start : positions.stop] = found
            else:
                for i, result in zip(positions, found, strict=True):
                    results[i] = result
            advance(len(found))
    return results


def _by_processes(
    listings: Iterable[Listing], pool: ThreadPoolExecutor, advance: Callable[[int], None]
) -> Iterator[tuple[Listing, list[Result]]]:
    """Files: what is a plain JPEG other processes tell, the rest is for the threads of this one."""
    begun: deque[tuple[Listing, list[Result]]] = deque()
    asked: deque[tuple[str, Sequence[str]]] = deque()

    def requests() -> Iterator[tuple[str, Sequence[str]]]:
        for listing in listings:
            begun.append((listing, []))
            for start in range(0, len(listing.keys), PER_REQUEST):
                prefix, paths = _places(listing, range(start, min(start + PER_REQUEST, len(listing.keys))))
                asked.append((prefix, paths))
                yield prefix, paths if _have_no_nul(paths) else ["" for _ in paths]

    with Lookers() as lookers:
        for looks in lookers.looks(requests()):
            while len(begun[0][1]) == len(begun[0][0].keys):
                yield begun.popleft()
            prefix, paths = asked.popleft()
            begun[0][1].extend(_completed(looks, prefix, paths, pool))
            advance(len(paths))
    yield from begun


def _have_no_nul(paths: Sequence[str]) -> bool:
    return "\0".join(paths).count("\0") == len(paths) - 1


def _completed(looks: Looks, prefix: str, paths: Sequence[str], pool: ThreadPoolExecutor) -> list[Result]:
    """Headers of the plain JPEGs that were seen, and of the other files what a whole decoder says."""
    sizes = list(zip(looks.widths.tolist(), looks.heights.tolist(), looks.kinds, strict=True))
    known = {size: header_of_jpeg(*size) for size in set(sizes)}
    found = [known[size] for size in sizes]
    others = [i for i, header in enumerate(found) if header is None]
    results: list[Result] = [header or "" for header in found]
    for i, result in zip(others, pool.map(_of_file, [prefix + paths[i] for i in others]), strict=True):
        results[i] = result
    return results


Work = tuple[Sequence[int], Callable[[], list[Result]]]
"""Positions of some images, and a function that returns their headers."""


def _kinds(listing: Listing) -> set[str]:
    container = listing.images["container"]
    return {container} if isinstance(container, str) else set(container)


def _is_local(listing: Listing) -> bool:
    return not any("://" in address for address in listing.roots.values())


def _are_files(listing: Listing) -> bool:
    return _kinds(listing) == {"file"} and _is_local(listing)


def _work(listing: Listing) -> Iterator[Work]:
    kinds = _kinds(listing)
    if kinds == {"parquet"}:
        return _parquet_work(listing)
    if _are_files(listing):
        return _file_work(listing)
    places = [listing.images.get(name) for name in ("offset", "length")]
    is_range = not kinds & {"file", "packed", *CONTAINERS} and all(isinstance(v, list) for v in places)
    return _range_work(listing) if is_range and _is_local(listing) else _other_work(listing)


def _windows(work: Iterator[Work], size: int) -> Iterator[list[Work]]:
    """Pieces of work a few at a time, so that a million images do not wait as a million futures."""
    window: list[Work] = []
    for item in work:
        window.append(item)
        if len(window) == size:
            yield window
            window = []
    yield window


def _places(listing: Listing, positions: Sequence[int]) -> tuple[str, list[str]]:
    """A folder with a slash behind it, and the paths below it of images at positions."""
    roots = {alias: f"{os.path.abspath(resolve_root(address))}/" for alias, address in listing.roots.items()}
    paths, root = listing.images["path"], listing.images["root"]
    chosen = [paths] * len(positions) if isinstance(paths, str) else [paths[i] for i in positions]
    if isinstance(root, str):
        return roots[root], chosen
    return "/", [(roots[root[i]] + path).removeprefix("/") for i, path in zip(positions, chosen, strict=True)]


def _file_work(listing: Listing) -> Iterator[Work]:
    n = len(listing.keys)
    for start in range(0, n, BLOCK):
        block = range(start, min(start + BLOCK, n))
        prefix, paths = _places(listing, block)
        yield block, lambda prefix=prefix, paths=paths: [_of_file(prefix + p) for p in paths]  # type: ignore[misc]


def _reason(error: DecodeError | OSError | ValueError, path: str) -> str:
    """Why there is no header."""
    if isinstance(error, FileNotFoundError):
        return f"file is missing: {os.path.basename(path)}"
    return f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _of_file(path: str) -> Result:
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, FLAGS)) as file:
            head = file.read(FIRST_BYTES)
            file.seek(0)
            return jpeg_header(head) or sniff(file)
    except (DecodeError, OSError, ValueError) as e:  # ValueError: a NUL in the path
        return _reason(e, path)


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
        prefix, chosen = _places(listing, block)
        places = list(zip(chosen, starts[block].tolist(), lengths[block].tolist(), strict=True))
        yield block, lambda prefix=prefix, places=places: [  # type: ignore[misc]
            _of_range(ranges, prefix + path, start, length) for path, start, length in places
        ]


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
