"""What a check may look at: samples after the first full read, and the split each is in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sightline.samples import SampleTable
from sightline.splits import Splits

Array = np.ndarray[Any, Any]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Samples and their splits, in table order."""

    samples: SampleTable
    splits: Splits | None
    """None: the official splits of the source are looked at."""

    @cached_property
    def assigned(self) -> Array:
        """Name of the split of each sample, an object array; None for a sample in none."""
        if self.splits is None:
            return np.array([s if s in SPLITS else None for s in self.samples.column("split")], object)
        names = np.full(len(self.samples), None, object)
        positions = self.samples.positions(self.splits.table["sample_id"].to_pylist())
        names[positions] = self.splits.table["split"].to_pylist()
        return names

    @cached_property
    def ids(self) -> list[bytes]:
        """Sample ids."""
        return self.samples.column("sample_id")

    @cached_property
    def keys(self) -> list[str]:
        """The source's own name of each sample."""
        return self.samples.column("key")

    @cached_property
    def labels(self) -> list[int | None]:
        """Class id of each sample; None where it has no label."""
        return self.samples.column("label")

    def class_name(self, i: int) -> str | None:
        """Class of sample number `i` for people, None where it has no label."""
        label = self.labels[i]
        return None if label is None else self.samples.classes.title(label)

    @cached_property
    def counts(self) -> dict[str, Array]:
        """Labelled samples of each class (int64) in each split that holds any; all in "all" where nothing is split."""
        labels = np.array([-1 if v is None else v for v in self.labels], np.int64)
        names = self.assigned if any(n is not None for n in self.assigned) else np.full(len(labels), "all", object)
        present = [s for s in (*SPLITS, "all") if (names == s).any()]
        size = len(self.samples.classes)
        return {s: np.bincount(labels[(names == s) & (labels >= 0)], minlength=size) for s in present}
