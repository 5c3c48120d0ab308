"""The classes that each sample shows: its label, or several where a table has none of them as the one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.samples import SampleTable

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Labelling:
    """Which samples show which classes: row `rows[i]` shows class `labels[i]`, each pair once."""

    rows: Array
    labels: Array
    is_told: Array
    """Boolean per row: somebody looked. A sample of several labels may show none of the classes."""
    num_classes: int

    @cached_property
    def is_single(self) -> bool:
        """Whether each sample shows exactly one class."""
        return len(self.rows) == len(self.is_told) and bool((self.rows == np.arange(len(self.rows))).all())

    def counts(self, chosen: Array) -> Array:
        """Samples of each class (int64) among the rows that a boolean mask chooses."""
        return np.bincount(self.labels[chosen[self.rows]], minlength=self.num_classes)


def labelling(samples: SampleTable) -> Labelling:
    """The column `label`; where it is empty throughout, what the dataset itself says in `labels` of the classes."""
    n, size = len(samples), len(samples.classes)
    is_told = samples.is_labelled
    if is_told.any() or samples.table["labels"].null_count == n:
        labels = pc.drop_null(samples.table["label"].combine_chunks())
        return Labelling(np.flatnonzero(is_told), np.asarray(labels.to_numpy(), np.int64), is_told, size)
    lists = samples.table["labels"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    entries, rows = lists.flatten(), np.repeat(np.arange(n), lengths)
    says = pc.and_(pc.equal(entries.field("space").cast(pa.string()), ""),
                   pc.fill_null(pc.equal(entries.field("source").cast(pa.string()), "dataset"), True))  # fmt: skip
    is_own = np.asarray(says.to_numpy(zero_copy_only=False), bool)
    told = lists.is_valid().to_numpy(zero_copy_only=False) & (lengths == 0)
    told[rows[is_own]] = True
    shown = is_own & (entries.field("state").to_numpy(zero_copy_only=False) == 1)
    pairs = np.unique(rows[shown] * size + entries.field("id").to_numpy(zero_copy_only=False)[shown].astype(np.int64))
    return Labelling(pairs // size, pairs % size, told, size)


def is_divided(samples: SampleTable) -> Array:
    """Boolean per row: the sample has its classes told, and nobody dropped it, so that a split may hold it."""
    return np.asarray(labelling(samples).is_told & ~samples.is_dropped)


def shows_several(samples: SampleTable) -> bool:
    """Whether classes are told, but not as the one class of a sample, which is what training takes."""
    return not samples.is_labelled.any() and bool(labelling(samples).is_told.any())
