"""Processes that look at the first bytes of files, as many at a time as the machine has processors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.formats import first_bytes

PER_REQUEST = 1024
"""Files of one request: 6 ms of work, and an answer that fits into a pipe, so that nobody waits for its reader."""
AHEAD = 2
"""Requests that a process has at a time: one to work on, and the next."""
MAX_PROCESSES = 16
"""Where reading waits (for a network, or a disk that turns), more processes wait side by side, up to here."""

_SERVE = "import sys; sys.path.append(sys.argv[1]); import first_bytes; first_bytes.serve()"
"""Imported rather than run by its path, so that it is compiled once and for all: that is 6 of 17 ms."""

Numbers = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True, slots=True)
class Request:
    """Files, or byte ranges of one file, that a process is to look at."""

    place: str
    """The folder that paths are below, or the file."""
    paths: Sequence[str]
    """Paths without NUL, or ranges as "first length"."""
    is_into: bool = False
    """Whether ranges of a file are meant."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What was seen of the files of one request, in its order."""

    kinds: bytes
    """Channels of a plain JPEG, 1 or 3; 0 = not seen, a whole decoder must look."""
    widths: Numbers
    heights: Numbers


class Lookers:
    """Processes that answer requests; to be closed, as by `with`."""

    def __init__(self) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._processes: list[subprocess.Popen[bytes]] = []
        for _ in range(min(cores, MAX_PROCESSES)):
            self._start()

    def __enter__(self) -> Lookers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()  # also one that still reads a disk for somebody who has gone
            process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        # -I and -S: neither the person's environment nor installed packages are looked for. A session of its own: who
        # interrupts the work ends the process by closing its stdin.
        command = [sys.executable, "-I", "-S", "-c", _SERVE, str(Path(first_bytes.__file__).parent)]
        process = subprocess.Popen(  # noqa: S603 — nothing of it comes from outside
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._processes.append(process)
        return process

    def looks(self, requests: Iterable[Request]) -> Iterator[Looks]:
        """Of each request what was seen, in the same order.

        Requests are taken while processes work, so that making them costs no time of its own.
        """
        asked: deque[tuple[subprocess.Popen[bytes], int]] = deque()
        idle = deque(self._processes * AHEAD)
        for request in requests:
            if not idle:
                process, looks, has_waited = _told(*asked.popleft())
                idle.append(process)
                if has_waited and len(self._processes) < MAX_PROCESSES:
                    idle.extendleft([self._start()] * AHEAD)
                yield looks
            process = idle.popleft()
            _ask(process, request)
            asked.append((process, len(request.paths)))
        while asked:
            yield _told(*asked.popleft())[1]


def _ask(process: subprocess.Popen[bytes], request: Request) -> None:
    assert process.stdin is not None
    kind = first_bytes.INTO if request.is_into else first_bytes.AT
    data = kind + b"\0" + "\0".join((request.place, *request.paths)).encode("utf-8", "surrogateescape")
    with suppress(BrokenPipeError):  # reading its answer says that it has ended
        process.stdin.write(len(data).to_bytes(4, sys.byteorder) + data)
        process.stdin.flush()


def _told(process: subprocess.Popen[bytes], n: int) -> tuple[subprocess.Popen[bytes], Looks, bool]:
    """A process, its answer, and whether it mostly waited."""
    assert process.stdout is not None
    data = process.stdout.read(4 + 9 * n)
    if len(data) < 4 + 9 * n:
        raise RuntimeError(f"the process that reads headers ended with exit code {process.wait()}")
    sizes = np.frombuffer(data, np.uint32, 2 * n, 4 + n) if n else np.empty(0, np.uint32)
    has_waited = int.from_bytes(data[:4], sys.byteorder) * 4 > n
    return process, Looks(data[4 : 4 + n], sizes[:n], sizes[n:]), has_waited
