"""Durations, and learning-rate schedules as pure functions of the update: there is no schedule state to save."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sightline.recipes.fields import check, require


@dataclass(frozen=True, slots=True)
class Epochs:
    """A duration in passes over the training split; parts of an epoch are allowed."""

    epochs: float
    """How many passes."""

    def __post_init__(self) -> None:
        check(self)
        require(self.epochs >= 0, f"Epochs.epochs must be ≥ 0, got {self.epochs}.")

    def updates(self, updates_per_epoch: int) -> int:
        """The duration in optimizer updates."""
        return round(self.epochs * updates_per_epoch)

    def __str__(self) -> str:
        return f"{self.epochs:g} epochs"


@dataclass(frozen=True, slots=True)
class Steps:
    """A duration in optimizer updates."""

    steps: int
    """How many updates."""

    def __post_init__(self) -> None:
        check(self)
        require(self.steps >= 0, f"Steps.steps must be ≥ 0, got {self.steps}.")

    def updates(self, updates_per_epoch: int) -> int:
        """The duration in optimizer updates."""
        return self.steps

    def __str__(self) -> str:
        return f"{self.steps:,} steps"


Duration = Epochs | Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmupCosine:
    """Linear rise to the peak, then half a cosine down; evaluated at every update."""

    warmup: Duration = Epochs(1)
    """How long the rate rises; the peak is reached at the first update after it."""
    final: float = 0.0
    """Where the cosine would arrive one update after the last, as a share of the peak."""

    def __post_init__(self) -> None:
        _check(self)

    def factor(self, update: int, warmup: int, total: int) -> float:
        """Learning rate at update 0 … total-1 as a share of the peak, with `warmup` updates of rise."""
        return _factor("cosine", self.final, update, warmup, total)


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmupLinear:
    """Linear rise to the peak, then a straight line down; evaluated at every update."""

    warmup: Duration = Epochs(1)
    """How long the rate rises; the peak is reached at the first update after it."""
    final: float = 0.0
    """Where the line would arrive one update after the last, as a share of the peak."""

    def __post_init__(self) -> None:
        _check(self)

    def factor(self, update: int, warmup: int, total: int) -> float:
        """Learning rate at update 0 … total-1 as a share of the peak, with `warmup` updates of rise."""
        return _factor("linear", self.final, update, warmup, total)


Schedule = WarmupCosine | WarmupLinear


def _check(schedule: Schedule) -> None:
    check(schedule)
    require(0 <= schedule.final <= 1, f"schedule.final is a share of the peak (0 … 1), got {schedule.final}.")


def _factor(shape: Literal["cosine", "linear"], final: float, update: int, warmup: int, total: int) -> float:
    # (u+1)/(W+1): the first update is not wasted on a rate of 0, and the peak belongs to exactly one update.
    if update < warmup:
        return (update + 1) / (warmup + 1)
    done = (update - warmup) / (total - warmup)
    remaining = 0.5 * (1 + math.cos(math.pi * done)) if shape == "cosine" else 1 - done
    return final + (1 - final) * remaining
