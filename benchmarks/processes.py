"""CPU time and memory of a process with all its descendants, read from Linux's /proc."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, kw_only=True)
class ProcessTimes:
    """What one line of /proc/PID/stat says."""

    parent: int
    own_ticks: int
    """User and system time of the process itself, all threads."""
    reaped_ticks: int
    """The same of its children that ended and were waited for, with theirs."""


def parsed(stat: str) -> ProcessTimes:
    """The fields of a /proc/PID/stat line; the command's name, in parentheses, may hold anything."""
    fields = stat[stat.rindex(")") + 2 :].split()
    user, system, child_user, child_system = (int(f) for f in fields[11:15])
    return ProcessTimes(parent=int(fields[1]), own_ticks=user + system, reaped_ticks=child_user + child_system)


def snapshot() -> dict[int, ProcessTimes]:
    """Every process there is, by its id."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = parsed((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
    return found


def tree_of(root: int, processes: Mapping[int, ProcessTimes]) -> list[int]:
    """Ids of `root` and its descendants."""
    children: dict[int, list[int]] = {}
    for pid, times in processes.items():
        children.setdefault(times.parent, []).append(pid)
    tree, rest = [], [root]
    while rest:
        pid = rest.pop()
        tree.append(pid)
        rest.extend(children.get(pid, ()))
    return tree


def tree_ticks(root: int, processes: Mapping[int, ProcessTimes]) -> int:
    """Clock ticks of `root` and its descendants, the ended ones included.

    A process that was waited for is in its parent's sum of reaped children, one that still exists is not: nothing
    counts twice.
    """
    tree = [processes[pid] for pid in tree_of(root, processes) if pid in processes]
    return sum(p.own_ticks + p.reaped_ticks for p in tree)


def cpu_seconds(root: int) -> float:
    """CPU seconds so far of `root` and its descendants."""
    return tree_ticks(root, snapshot()) / TICKS


def busy_seconds(cpus: Iterable[int]) -> float:
    """CPU seconds that these processors have worked so far, for whomever."""
    return busy_ticks((PROC / "stat").read_text(), cpus) / TICKS


def busy_ticks(stat: str, cpus: Iterable[int]) -> int:
    """Ticks that are neither idle nor waiting for input, out of /proc/stat; a guest's are in the user's already."""
    rows = {line.split()[0]: [int(f) for f in line.split()[1:9]] for line in stat.splitlines() if line[:3] == "cpu"}
    return sum(sum(rows[f"cpu{cpu}"]) - rows[f"cpu{cpu}"][3] - rows[f"cpu{cpu}"][4] for cpu in cpus)


def adopt_orphans() -> None:
    """Descendants whose parent ends become children of this process, instead of leaving its tree."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def pss_bytes(root: int) -> int:
    """Proportional set size of the tree: memory shared by n processes counts as an n-th in each of them."""
    total = 0
    for pid in tree_of(root, snapshot()):
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


class PssSampler:
    """The highest PSS of a tree while sampling is on.

    Reading smaps walks the page tables of every process and takes some milliseconds, so it is off while time is taken.
    """

    def __init__(self, root: int, interval: float = 0.1) -> None:
        self._root, self._interval = root, interval
        self._is_on, self._is_over = threading.Event(), threading.Event()
        self.peak = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.is_set():
            if self._is_on.wait(0.1):
                self.peak = max(self.peak, pss_bytes(self._root))
                time.sleep(self._interval)

    def switch(self, is_on: bool) -> None:
        """Begin or stop sampling."""
        (self._is_on.set if is_on else self._is_on.clear)()

    def close(self) -> int:
        """The peak in bytes; sampling ends."""
        self._is_over.set()
        self._thread.join()
        return self.peak
