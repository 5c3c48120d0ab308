"""Threads that prepare batches ahead of their use, in order and without leaving work behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import torch


class Job(Protocol):
    """Work in independent parts."""

    @property
    def parts(self) -> list[Callable[[], Any]]:
        """Functions to be called in any order, from any thread."""


J = TypeVar("J", bound=Job)


def finished(jobs: Iterable[J], pool: ThreadPoolExecutor | None, ahead: int) -> Iterator[tuple[J, list[Any]]]:
    """Each job with the results of its parts, in the order of `jobs`.

    With a pool, `ahead` jobs are under way beyond the one handed out; without, the caller's thread does the work.
    An exception in a part, in the caller or from the keyboard cancels what has not begun and waits for what has.
    """
    if pool is None:
        for job in jobs:
            yield job, [part() for part in job.parts]
        return
    pending: deque[tuple[J, list[Future[Any]]]] = deque()
    try:
        for job in jobs:
            pending.append((job, [pool.submit(part) for part in job.parts]))
            if len(pending) > ahead:
                yield _collected(pending)
        while pending:
            yield _collected(pending)
    finally:
        for running in [f for _, futures in pending for f in futures if not f.cancel()]:
            running.exception()  # waits, and also works while the interpreter is being taken down


def _collected(pending: deque[tuple[J, list[Future[Any]]]]) -> tuple[J, list[Any]]:
    results = [f.result() for f in pending[0][1]]  # stays pending until then, so that a failure cancels the rest
    job, _ = pending.popleft()
    return job, results


def single_threaded_pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch runs single-threaded: they are the parallelism, and would crowd each other out."""
    pool = ThreadPoolExecutor(threads, "sightline-loader", _single_threaded)
    before = torch.get_num_threads()
    barrier = threading.Barrier(threads + 1)  # every thread exists, and has its setting, when it is passed
    for _ in range(threads):
        pool.submit(barrier.wait)
    barrier.wait()
    torch.set_num_threads(before)
    return pool


def _single_threaded() -> None:
    torch.get_num_threads()  # settles this thread's own setting, which the next call then changes
    torch.set_num_threads(1)
