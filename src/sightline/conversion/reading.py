"""The images of a study read again, to be written elsewhere: in order, on all cores, and compared with the table."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sightline.errors import DataError, DecodeError
from sightline.images import decode
from sightline.samples import pixel_sha256_of

T = TypeVar("T")

AHEAD = 4
"""Images under way for each thread: enough to keep threads busy, and few enough to lie in memory."""


def in_order(work: Callable[[int], T], rows: Iterable[int]) -> Generator[tuple[int, T]]:
    """Results in the order of the rows, computed on all cores, with few of them in memory."""
    threads = len(os.sched_getaffinity(0))
    pending: deque[tuple[int, Future[T]]] = deque()
    pool = ThreadPoolExecutor(threads, "sightline-convert")
    try:
        for row in rows:
            pending.append((row, pool.submit(work, row)))
            if len(pending) >= AHEAD * threads:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def has_pixels(payload: bytes, wanted: bytes) -> bool:
    """Whether a payload decodes to pixels of this hash."""
    try:
        return pixel_sha256_of(decode(payload)) == wanted
    except DecodeError:
        return False


def gone(key: str, why: DecodeError) -> DataError:
    """What to tell a person whose image was there when the study was made."""
    return DataError(f"{key}: {why}. It could be read when the study was made. Restore it, or list the source again: "
                     "sightline index SOURCE STUDY")  # fmt: skip
