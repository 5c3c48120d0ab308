"""What the first bytes of every image of a listing say, read in parallel."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from sightline.formats.header_work import (
    Result,
    Work,
    are_files,
    are_ranges,
    of_file,
    of_range,
    places_of,
    range_blocks,
    work_of,
)
from sightline.formats.listing import Listing
from sightline.formats.looking import PER_REQUEST, Lookers, Looks, Request
from sightline.images.decoding import header_of_jpeg
from sightline.images.ranges import Ranges
from sightline.progress import progress

FIELDS = ("codec", "width", "height", "mode", "bits", "exif_orientation")

MANY = 4096
"""Files from which on processes are started: they are there after 15 ms, in which threads read 600 headers."""


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
        if (are_files(first) or are_ranges(first)) and len(first.keys) >= MANY and sys.executable:
            yield from _by_processes(every, pool, advance)
            return
        for listing in every:
            yield listing, _by_threads(listing, pool, advance)


def _by_threads(listing: Listing, pool: ThreadPoolExecutor, advance: Callable[[int], None]) -> list[Result]:
    results: list[Result] = [""] * len(listing.keys)
    for window in _windows(work_of(listing), 64):
        for positions, found in pool.map(lambda w: (w[0], w[1]()), window):
            if isinstance(positions, range):
                results[positions.start : positions.stop] = found
            else:
                for i, result in zip(positions, found, strict=True):
                    results[i] = result
            advance(len(found))
    return results


def _windows(work: Iterator[Work], size: int) -> Iterator[list[Work]]:
    """Pieces of work a few at a time, so that a million images do not wait as a million futures."""
    window: list[Work] = []
    for item in work:
        window.append(item)
        if len(window) == size:
            yield window
            window = []
    yield window


@dataclass
class _Begun:
    """A listing some of whose headers are known."""

    listing: Listing
    results: list[Result]
    left: int
    """Images that are not known yet."""


class _Asked(NamedTuple):
    """Images of a listing that a process looks at."""

    begun: _Begun
    positions: Sequence[int]
    other: Callable[[int], Result]
    """What a whole decoder says of the one at a place of the request."""


def _by_processes(
    listings: Iterable[Listing], pool: ThreadPoolExecutor, advance: Callable[[int], None]
) -> Iterator[tuple[Listing, list[Result]]]:
    """What is a plain JPEG other processes tell, the rest is for the threads of this one."""
    begun: deque[_Begun] = deque()
    asked: deque[_Asked] = deque()

    def requests() -> Iterator[Request]:
        for listing in listings:
            n = len(listing.keys)
            begun.append(_Begun(listing, [""] * n, n))
            for positions, request, other in _requests(listing):
                asked.append(_Asked(begun[-1], positions, other))
                yield request

    with Lookers() as lookers:
        for looks in lookers.looks(requests()):
            while not begun[0].left:
                done = begun.popleft()
                yield done.listing, done.results
            _complete(asked.popleft(), looks, pool)
            advance(len(looks.kinds))
    for done in begun:
        yield done.listing, done.results


def _requests(listing: Listing) -> Iterator[tuple[Sequence[int], Request, Callable[[int], Result]]]:
    """Positions of some images, what is asked about them, and what a whole decoder says of one of them."""
    if not are_files(listing):
        ranges = Ranges()
        for positions, file, places in range_blocks(listing, PER_REQUEST):
            told = [f"{start} {length}" for start, length in places]
            yield positions, Request(file, told, is_into=True), partial(_of_place, ranges, file, places)
        return
    for start in range(0, len(listing.keys), PER_REQUEST):
        block = range(start, min(start + PER_REQUEST, len(listing.keys)))
        prefix, paths = places_of(listing, block)
        asked = paths if "\0".join(paths).count("\0") == len(paths) - 1 else [""] * len(paths)
        yield block, Request(prefix, asked), partial(_of_path, prefix, paths)


def _of_path(prefix: str, paths: Sequence[str], i: int) -> Result:
    return of_file(prefix + paths[i])


def _of_place(ranges: Ranges, file: str, places: Sequence[tuple[int, int]], i: int) -> Result:
    return of_range(ranges, file, *places[i])


def _complete(asked: _Asked, looks: Looks, pool: ThreadPoolExecutor) -> None:
    """Fill in the headers of the plain JPEGs that were seen, and of the other images what a whole decoder says."""
    # Many images have the same size: they share a header, which is looked up by numbers that hold all three.
    numbers = (looks.widths.astype(np.uint64) << 34) + (looks.heights.astype(np.uint64) << 2)
    sizes, which = np.unique(numbers + np.frombuffer(looks.kinds, np.uint8), return_inverse=True)
    known = [header_of_jpeg(size >> 34, size >> 2 & 0xFFFFFFFF, size & 3) for size in sizes.tolist()]
    found: list[Result | None] = [known[i] for i in which.tolist()]
    others = [i for i, header in enumerate(found) if header is None]
    for i, result in zip(others, pool.map(asked.other, others), strict=True):
        found[i] = result
    asked.begun.left -= len(found)
    results, positions = asked.begun.results, asked.positions
    if isinstance(positions, range):
        results[positions.start : positions.stop] = found  # type: ignore[assignment]
    else:
        for i, header in zip(positions, found, strict=True):
            results[i] = header or ""
