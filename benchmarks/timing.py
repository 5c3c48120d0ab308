"""Times of functions that take turns."""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of one call."""

    wall: float
    cpu: float
    """Of all processors together, and of the processes that were started."""

    def __str__(self) -> str:
        return f"{self.wall:.3g} s (processor time {self.cpu:.3g} s)"

    def beside(self, other: Cost) -> str:
        """This cost in words, and as a multiple of another."""
        return f"{self.wall / other.wall:.2f} × (processor time {self.cpu / other.cpu:.2f} ×): {self}"


def in_turns(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Cost]]:
    """Costs of each contender in every round, after one round that does not count."""
    found: dict[str, list[Cost]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            gc.collect()
            wall, cpu = time.perf_counter(), _cpu_seconds()
            result = work()
            cost = Cost(wall=time.perf_counter() - wall, cpu=_cpu_seconds() - cpu)
            del result
            if turn:
                found[name].append(cost)
    return found


def _cpu_seconds() -> float:
    """Processors' time so far, of this process and of those that it started and that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def costs(found: Mapping[str, list[Cost]]) -> dict[str, Cost]:
    """The median cost of each contender."""
    return {
        name: Cost(wall=statistics.median(c.wall for c in all_), cpu=statistics.median(c.cpu for c in all_))
        for name, all_ in found.items()
    }
