"""Work on all cores, with results that do not depend on how many there are."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from sightline.errors import extra_needed

S = TypeVar("S")
T = TypeVar("T")


def in_order(work: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
    """Results of `work` in the order of `items`, made by one thread a core, few of them waiting.

    BLAS and OpenMP keep to one thread each meanwhile, so that neither the order of additions nor the result knows of
    the number of cores, and threads do not get in each other's way. At the end the process's settings are what they
    were. An error ends it as soon as what runs has ended. Raises MissingExtraError without threadpoolctl.
    """
    threads = os.cpu_count() or 1
    # OpenMP's number is of the calling thread alone, so each sets its own.
    pool = ThreadPoolExecutor(threads, initializer=partial(_libraries().limit, limits=1, user_api="openmp"))
    waiting: deque[Future[T]] = deque()
    with one_thread():
        try:
            for item in items:
                if len(waiting) == 2 * threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS in the whole process, and OpenMP in this thread, keep to one thread while the block runs."""
    libraries = _libraries()
    # A BLAS on OpenMP sets OpenMP's number too, so that is put back last.
    with libraries.limit(limits=1, user_api="openmp"), libraries.limit(limits=1, user_api="blas"):
        yield


def _libraries() -> Any:
    """What sets the threads of the libraries that are loaded by now; looking for them takes 1 to 3 ms."""
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError as e:
        raise extra_needed(e, "Work on all cores") or e from None
    return ThreadpoolController()
