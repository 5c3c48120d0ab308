"""What a run of the benchmark measured, as plain values that can be written and read again."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.jobs import WORKERS


@dataclass(frozen=True, kw_only=True)
class Round:
    """One contender's turn in one round."""

    images: int
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of the whole process tree."""
    others: float
    """Seconds that other programs used the same processors meanwhile."""
    pss: int
    """Highest proportional set size of the process tree, in bytes."""
    mean: float
    std: float

    def __str__(self) -> str:
        return (
            f"{self.rate:,.0f} img/s · {self.cpu_ms:.3g} ms CPU · {self.pss / 1e6:,.0f} MB · "
            f"mean {self.mean:+.2f}, std {self.std:.2f}"
        )

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.wall

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per image."""
        return 1000 * self.cpu / self.images


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How far evaluated pixels are from the reference's, in levels of 0 … 255."""

    highest: int
    mean: float
    identical: int
    """Images without any difference."""
    images: int


@dataclass(frozen=True, kw_only=True)
class Start:
    """Starts of an epoch over many samples."""

    seconds: tuple[float, ...]
    """From asking for an epoch to its first batch; the first includes making the loader."""
    peaks: tuple[int, ...]
    """How far the highest resident memory was above that before the loader was made, in bytes."""


@dataclass(kw_only=True)
class Records:
    """All of a run."""

    facts: dict[str, str] = field(default_factory=dict)
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Contender → reason."""
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    """Environment → distribution → version."""
    levels: dict[str, Levels] = field(default_factory=dict)
    stored: dict[str, float] = field(default_factory=dict)
    """Contender of the training job → bytes that it reads, over those of the original files."""
    growth: dict[str, list[int]] = field(default_factory=dict)
    """Contender → PSS in bytes after each epoch."""
    starts: dict[str, Start] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """Median images per second."""
        return statistics.median(r.rate for r in self.rounds[name])

    def cpu_ms(self, name: str) -> float:
        """Median CPU milliseconds per image."""
        return statistics.median(r.cpu_ms for r in self.rounds[name])

    def pss(self, name: str) -> float:
        """Median of the rounds' highest PSS, in bytes."""
        return statistics.median(r.pss for r in self.rounds[name])

    @property
    def others(self) -> float:
        """Share of the processors that other programs used while time was taken; 0 where none was taken."""
        rounds = [r for name in self.rounds for r in self.rounds[name]]
        wall = sum(r.wall for r in rounds)
        return sum(r.others for r in rounds) / (WORKERS * wall) if wall else 0.0

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Records:
        """What `write` wrote."""
        stored: dict[str, Any] = json.loads(path.read_text())
        stored["rounds"] = {name: [Round(**r) for r in rows] for name, rows in stored["rounds"].items()}
        stored["levels"] = {name: Levels(**v) for name, v in stored["levels"].items()}
        stored["starts"] = {
            name: Start(seconds=tuple(v["seconds"]), peaks=tuple(v["peaks"])) for name, v in stored["starts"].items()
        }
        return cls(**stored)
