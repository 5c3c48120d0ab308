"""One contender in a process of its own, in its own environment: `python -m benchmarks.measure JSON`.

The argument says what to do (see `Task`); each line of the output is one event as JSON. Whatever the contender prints
goes to the error stream.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.jobs import BY_NAME, Job

Epoch = Callable[[], Iterator[Any]]
ORDER_STARTS = 7


@dataclass(frozen=True, kw_only=True)
class Task:
    """What this process is to do."""

    peer: str
    """Module in benchmarks/peers."""
    job: str
    options: dict[str, Any]
    folder: str
    work: str
    """Where the contender keeps what it prepared."""
    action: str
    """prepare | time | levels | growth | order."""
    cpus: list[int]
    seconds: float = 0.0
    """time: whole epochs are added until this much has passed."""
    epochs: int = 0
    """growth: how many."""
    out: str = ""
    """levels: the file for the evaluated pixels."""
    reported: tuple[str, ...] = ()


def main(argument: str) -> None:
    """Carry out the task; a failure ends with a traceback on the error stream."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(event: str, **facts: Any) -> None:
        events.write(json.dumps({"event": event, **facts}) + "\n")

    task = Task(**json.loads(argument))
    os.sched_setaffinity(0, task.cpus)
    processes.adopt_orphans()
    peer = importlib.import_module(f"benchmarks.peers.{task.peer}")
    folder, work = Path(task.folder), Path(task.work)
    if task.action == "prepare":
        if hasattr(peer, "prepare"):
            peer.prepare(folder, work, job=task.job, **task.options)
    else:
        epoch = peer.setup(folder, work, job=task.job, **task.options)
        say("ready", versions=versions(task.reported))
        ACTIONS[task.action](task, epoch, say)
    say("done")
    events.flush()
    # Some peers hang in finalizers or keep daemons; everything of interest is written.
    for pid in processes.tree_of(os.getpid(), processes.snapshot())[:0:-1]:
        _end(pid)
    os._exit(0)


def _end(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of the distributions that are installed here."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def timed(task: Task, epoch: Epoch, say: Callable[..., None]) -> None:
    """One epoch to warm up, whose batches are checked; then whole epochs with the clocks on; one more for memory."""
    say("warm", **described(BY_NAME[task.job], epoch()))
    say("still")  # the driver stops sampling memory before it answers
    sys.stdin.readline()
    images = 0
    busy, cpu, start = processes.busy_seconds(task.cpus), processes.cpu_seconds(os.getpid()), time.perf_counter()
    wall = 0.0
    while not images or wall < task.seconds:
        for values, _ in epoch():
            images += len(values)
        wall = time.perf_counter() - start
    cpu, busy = processes.cpu_seconds(os.getpid()) - cpu, processes.busy_seconds(task.cpus) - busy
    say("timed", images=images, wall=wall, cpu=cpu, others=max(busy - cpu, 0.0))
    for _ in epoch():
        pass


def described(job: Job, batches: Iterator[Any]) -> dict[str, Any]:
    """Images, mean and standard deviation of an epoch. Raises ValueError where shape or type are not the job's."""
    import numpy as np

    images, sums, squares = 0, 0.0, 0.0
    for values, labels in batches:
        array = np.asarray(values)
        if array.dtype != np.float32 or array.shape[1:] != (3, job.size, job.size) or len(labels) != len(array):
            raise ValueError(f"a batch has {array.dtype} {array.shape} and {len(labels)} labels; wanted {job}")
        images += len(array)
        for image in array:  # one at a time: copies of a batch would show in the memory that is measured
            sums += float(image.mean())
            squares += float(np.square(image).mean())
    mean = sums / images
    return {"images": images, "mean": mean, "std": (squares / images - mean**2) ** 0.5}


def levels(task: Task, epoch: Epoch, say: Callable[..., None]) -> None:
    """Evaluated pixels as uint8 levels, in the contender's order, with the labels."""
    import numpy as np

    job = BY_NAME[task.job]
    mean, std = (np.asarray(v, np.float32)[None, :, None, None] for v in (job.mean, job.std))
    images, labels = [], []
    for values, of in epoch():
        images.append(np.rint(np.clip((np.asarray(values) * std + mean) * 255, 0, 255)).astype(np.uint8))
        labels.append(np.asarray(of))
    np.savez(task.out, images=np.concatenate(images), labels=np.concatenate(labels))


def growth(task: Task, epoch: Epoch, say: Callable[..., None]) -> None:
    """An event after each epoch, for which the driver reads the tree's memory before it answers."""
    for _ in range(task.epochs):
        for _ in epoch():
            pass
        gc.collect()
        say("epoch")
        sys.stdin.readline()


def order(task: Task, epoch: Epoch, say: Callable[..., None]) -> None:
    """Seconds from asking for an epoch to its first batch, and how far the highest memory is above the data set's.

    The first start includes making the loader, and has a memory of its own.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # memory that is free already goes back to the system
    before = _status("VmRSS")
    seconds, peaks = [], []
    for _ in range(ORDER_STARTS):
        Path("/proc/self/clear_refs").write_text("5")  # the highest memory so far is forgotten
        start = time.perf_counter()
        batches = epoch()
        next(batches)
        seconds.append(time.perf_counter() - start)
        peaks.append(_status("VmHWM") - before)
        del batches
        gc.collect()
    say("order", seconds=seconds, peaks=peaks)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


ACTIONS: dict[str, Callable[[Task, Epoch, Callable[..., None]], None]] = {
    "time": timed, "levels": levels, "growth": growth, "order": order,
}  # fmt: skip

if __name__ == "__main__":
    main(sys.argv[1])
