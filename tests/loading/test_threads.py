"""Threads stop with the work they are for: nothing hangs, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sightline.augmentation import none
from sightline.loading import Loader
from sightline.loading.threads import Pool, finished, single_threaded_pool
from sightline.samples import SampleTable
from tests.loading.material import TINY


@dataclass
class Parts:
    """A job of given functions."""

    parts: list[Callable[[], Any]]


@pytest.fixture
def pool() -> Any:
    pool = Pool(3)
    yield pool
    pool.shutdown()


def test_results_come_in_order_whatever_takes_long(pool: Pool) -> None:
    def slow(i: int) -> int:
        time.sleep(0.02 * (i % 3 == 0))
        return i

    jobs = [Parts([lambda i=i, j=j: slow(10 * i + j) for j in range(i % 4)]) for i in range(12)]
    wanted = [(job, [10 * i + j for j in range(i % 4)]) for i, job in enumerate(jobs)]
    assert list(finished(jobs, pool, 2)) == wanted
    assert list(finished(jobs, None, 2)) == wanted


def test_no_more_is_under_way_than_asked(pool: Pool) -> None:
    begun: list[int] = []
    stream = finished((Parts([lambda i=i: begun.append(i)]) for i in range(50)), pool, 2)
    for taken in range(1, 6):
        next(stream)
        time.sleep(0.05)
        assert len(begun) <= taken + 2
    stream.close()


def test_a_failure_cancels_what_has_not_begun_and_reaches_the_caller(pool: Pool) -> None:
    begun: list[int] = []

    def work(i: int) -> None:
        begun.append(i)
        time.sleep(0.01)
        if i == 3:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(finished((Parts([lambda i=i: work(i)]) for i in range(100)), pool, 4))
    count = len(begun)
    time.sleep(0.1)
    assert len(begun) == count < 20


def test_leaving_a_loop_waits_for_what_runs(pool: Pool) -> None:
    running = threading.Semaphore(0)
    ended: list[int] = []

    def work(i: int) -> None:
        running.release()
        time.sleep(0.05)
        ended.append(i)

    with pytest.raises(RuntimeError, match="in the loop"):  # noqa: PT012
        for _ in finished((Parts([lambda i=i: work(i)]) for i in range(100)), pool, 2):
            raise RuntimeError("in the loop")
    count = len(ended)
    time.sleep(0.15)
    assert len(ended) == count


def test_threads_of_a_pool_compute_alone() -> None:
    import torch

    before = torch.get_num_threads()
    pool = single_threaded_pool(2)
    assert {pool.submit(torch.get_num_threads).result() for _ in range(6)} == {1}
    assert torch.get_num_threads() == before
    pool.shutdown()


LOOP = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
import sightline as sl
from sightline.augmentation import Augmentation

def slow(image, rng):
    time.sleep(0.05)
    return image

contract = sl.Preprocessing(size=(16, 16), mean=(0.5,) * 3, std=(0.5,) * 3, resize_to=16)
loader = sl.Loader(sys.argv[1], preprocessing=contract, augmentation=Augmentation(transforms=(slow,)), batch_size=4,
                   threads=3)
for epoch in range(10_000):
    for batch in loader:
        print("batch", flush=True)
        {inside}
"""


@pytest.mark.parametrize(("inside", "error"), [("pass", "KeyboardInterrupt"), ("raise ValueError(4)", "ValueError: 4")])
def test_a_process_ends_on_ctrl_c_and_on_an_exception(photo_folder: Path, inside: str, error: str) -> None:
    code = LOOP.replace("{inside}", inside)
    command = [sys.executable, "-c", code, str(photo_folder / "train")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "batch\n"
        try:
            if inside == "pass":
                process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode not in (0, None)
    assert error in said


def test_one_ctrl_c_is_enough_whenever_it_comes(arrays: SampleTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python reports an interrupt in a callback of its own, as of a weak reference, and forgets it."""
    lost: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    loader = Loader(arrays, preprocessing=TINY, augmentation=none(), batch_size=1, threads=2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for i in range(300):
            timer = threading.Timer(0.001 + 1e-5 * i, os.kill, (os.getpid(), signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012
                timer.start()
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    for _batch in loader:
                        pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert lost == []
