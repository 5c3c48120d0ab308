"""Where a loader's time goes: seconds by stage, summed over its threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

STAGES = ("read", "decode", "transform", "collate", "wait")
"""read: bytes from disk · decode: bytes to pixels · transform: crop, resize and augmentation · collate: normalization
into the batch's memory · wait: what the caller of the loader waits for its next batch."""

_NOTHING: AbstractContextManager[None] = nullcontext()


class Stages:
    """A stopwatch for each stage; safe to share between threads. `with stages("decode"): …` adds to one of them."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        """Wall seconds by stage, over all threads together."""
        self.cpu_seconds = dict.fromkeys(STAGES, 0.0)
        """CPU seconds by stage of the threads that worked on it; what libraries start on the side is not in it."""
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block for a stage."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            with self._lock:
                self.seconds[stage] += wall
                self.cpu_seconds[stage] += cpu


def timed(stages: Stages | None, stage: str) -> AbstractContextManager[None]:
    """The stopwatch of a stage, or nothing where nobody measures."""
    return _NOTHING if stages is None else stages(stage)
