"""What a method of division returns: where each sample goes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TRAIN, VAL, TEST = "train", "val", "test"

SPLITS = np.array([TRAIN, VAL, TEST], object)


@dataclass(frozen=True, eq=False)
class Parts:
    """The split of each sample that is divided and the reason, in the samples' order."""

    names: Array
    """train | val | test, or None for a sample left out; an object array."""
    reasons: Array
    """Why it is there; an object array. Behind ": " stands what only this sample has."""
    how: Mapping[str, Any] = field(default_factory=dict)
    """What is to be recorded about the division."""

    @classmethod
    def of(cls, names: Array, reason: str, **how: Any) -> Parts:
        """Parts with one reason for all."""
        return cls(names, np.full(len(names), reason, object), how)

    def put(self, rows: Array, inner: Parts) -> Parts:
        """These parts with those of some rows replaced."""
        names, reasons = self.names.copy(), self.reasons.copy()
        names[rows], reasons[rows] = inner.names, inner.reasons
        return Parts(names, reasons, {**self.how, **inner.how})

    def leave_out(self, rows: Array, reason: str | Array) -> Parts:
        """These parts with some rows in no split."""
        names, reasons = self.names.copy(), self.reasons.copy()
        names[rows], reasons[rows] = None, reason
        return Parts(names, reasons, self.how)
