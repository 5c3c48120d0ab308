"""Work on all cores with results that do not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sightline.errors import extra_needed

S = TypeVar("S")
T = TypeVar("T")

PURPOSE = "Looking for near duplicates"


def in_order(work: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
    """Results of `work` in the order of `items`, made by one thread a core, few of them waiting."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads, initializer=_single_threaded) as pool:
        waiting = [pool.submit(work, item) for item in items[: 2 * threads]]
        for item in items[2 * threads :]:
            yield waiting.pop(0).result()
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.pop(0).result()


def faiss() -> Any:
    """The module faiss. Raises MissingExtraError when it is not installed."""
    try:
        import faiss
    except ModuleNotFoundError as e:
        raise extra_needed(e, PURPOSE) or e from None
    return faiss


def _single_threaded() -> None:
    # Inside a worker: sums then do not depend on the number of cores, and threads do not get in each other's way.
    # OpenMP's number is of the calling thread alone; OpenCV's is the process's, and is what its caller left.
    faiss().omp_set_num_threads(1)
