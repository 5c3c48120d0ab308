"""Work in blocks on all cores, with results that do not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from sightline.errors import extra_needed
from sightline.progress import progress

T = TypeVar("T")


def in_parallel(work: Callable[[int], T], blocks: Sequence[int], told: str = "") -> list[T]:
    """What `work` returns for each block, in the order of the blocks.

    Matrix products run on one thread each, so that neither the order of additions nor the result knows of the number
    of cores. With `told` progress is shown under that name.
    """
    with one_thread(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        if not told:
            return list(pool.map(work, blocks))
        out = []
        with progress(told, len(blocks)) as advance:
            for done in pool.map(work, blocks):
                out.append(done)
                advance(1)
        return out


@contextmanager
def one_thread() -> Iterator[None]:
    """The linear algebra libraries keep to one thread while the block runs."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> Any:
    """The linear algebra libraries of this process, looked for once: it takes 10 ms."""
    try:
        import scipy.linalg  # noqa: F401 — brings a library of its own
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError as e:
        raise extra_needed(e, "An audit of labels") or e from None
    return ThreadpoolController()
