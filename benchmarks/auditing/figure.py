"""One line of the audit's results."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Data beside the project: its README says what there is."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was measured, beside what was wanted."""

    what: str
    aim: str = ""
    got: str
    holds: bool | None = None
    """Whether the aim was reached; None where there is none."""


def cpu_seconds() -> float:
    """Processor time of this process so far, all its threads together; what others do does not count."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_bytes() -> int:
    """Highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
