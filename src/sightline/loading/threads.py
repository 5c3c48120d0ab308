"""Threads that prepare batches ahead of their use, in order and without leaving work behind."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import torch


class Job(Protocol):
    """Work in independent parts."""

    @property
    def parts(self) -> list[Callable[[], Any]]:
        """Functions to be called in any order, from any thread."""


J = TypeVar("J", bound=Job)


class Task:
    """A function that a thread of a pool will call once."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._taken, self._unfinished = threading.Lock(), threading.Lock()
        self._unfinished.acquire()
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Call it, unless that was done or it was cancelled."""
        if not self._taken.acquire(blocking=False):
            return
        try:
            self._value = self._work()
        except BaseException as e:  # noqa: BLE001 - it belongs to who asks for the result
            self._error = e
        self._unfinished.release()

    def cancel(self) -> bool:
        """Whether it has not begun, and now never will."""
        return self._taken.acquire(blocking=False)

    def wait(self) -> None:
        """Come back when it has run."""
        with self._unfinished:
            pass

    def result(self) -> Any:
        """What it returned; raises what it raised."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._value


class Pool:
    """Threads that run tasks in the order in which they come; they end with the pool or the process.

    Not concurrent.futures': Ctrl-C in the wrong moment of its `submit` or `result` leaves a lock behind that nobody
    releases, and the process hangs as it ends. Here the interpreter's own locks and queue are all there is.
    """

    def __init__(self, threads: int, begin: Callable[[], object] = lambda: None) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        workers = [threading.Thread(target=_serve, args=(self._tasks, begin), name=f"sightline-loader_{i}", daemon=True)
                   for i in range(threads)]  # fmt: skip
        for worker in workers:
            worker.start()
        self.shutdown = weakref.finalize(self, _end, self._tasks, workers)  # at the process's end too

    def submit(self, work: Callable[[], Any]) -> Task:
        """The task of calling a function."""
        task = Task(work)
        self._tasks.put(task)
        return task


def _serve(tasks: SimpleQueue[Task | None], begin: Callable[[], object]) -> None:
    begin()
    while (task := tasks.get()) is not None:
        task.run()
        del task  # what it holds is not kept until the next one comes


def _end(tasks: SimpleQueue[Task | None], workers: list[threading.Thread]) -> None:
    for _ in workers:
        tasks.put(None)
    for worker in workers:
        if worker is not threading.current_thread():
            worker.join()


def finished(jobs: Iterable[J], pool: Pool | None, ahead: int) -> Iterator[tuple[J, list[Any]]]:
    """Each job with the results of its parts, in the order of `jobs`.

    With a pool, `ahead` jobs are under way beyond the one handed out; without, the caller's thread does the work.
    An exception in a part, in the caller or from the keyboard cancels what has not begun and waits for what has.
    """
    if pool is None:
        for job in jobs:
            yield job, [part() for part in job.parts]
        return
    pending: deque[tuple[J, list[Task]]] = deque()
    try:
        for job in jobs:
            pending.append((job, [pool.submit(part) for part in job.parts]))
            if len(pending) > ahead:
                yield _collected(pending)
        while pending:
            yield _collected(pending)
    finally:
        for running in [task for _, tasks in pending for task in tasks if not task.cancel()]:
            running.wait()


def _collected(pending: deque[tuple[J, list[Task]]]) -> tuple[J, list[Any]]:
    results = [task.result() for task in pending[0][1]]  # stays pending until then, so that a failure cancels the rest
    job, _ = pending.popleft()
    return job, results


def single_threaded_pool(threads: int) -> Pool:
    """Threads in which torch runs single-threaded: they are the parallelism, and would crowd each other out."""
    pool = Pool(threads, _single_threaded)
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
