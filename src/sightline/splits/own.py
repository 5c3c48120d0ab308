"""Assignments made here, for samples that have no official test, or to carve val from an official train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.allotment import by_class, by_hash, by_time, quotas, totals_of
from sightline.splits.invariants import copies_in_lower_splits
from sightline.splits.units import Units, connect, group_keys, pixel_keys
from sightline.splits.values import TEST, TRAIN, VAL

Array = np.ndarray[Any, Any]

PARTS = np.array([TRAIN, VAL, TEST], object)


@dataclass(frozen=True)
class Shares:
    """Shares of the samples that go to val and to test."""

    val: float
    test: float

    @property
    def of_parts(self) -> tuple[float, float, float]:
        """Shares of train, val and test."""
        return 1 - self.val - self.test, self.val, self.test


@dataclass(frozen=True)
class Rule:
    """How labelled samples are divided: the method, the seed and the kinds of groups to keep whole."""

    method: str
    """stratified | group | time | hash."""
    seed: int
    group: tuple[str, ...]


def divide(samples: SampleTable, rule: Rule, shares: Shares, purpose: str = "divide") -> Array:
    """Name of the split of each sample, all labelled; None where a hash leaves out a copy of a sample in another split.

    `purpose` keeps the draws of a division apart from those of another one of the same samples and seed.
    """
    if rule.method == "hash":
        units = connect(samples, [group_keys(samples, rule.group)])
        names = PARTS[by_hash(units, shares.of_parts, rule.seed, purpose)][units.of]
        names[copies_in_lower_splits(names, pixel_keys(samples))] = None
    else:
        units = _units(samples, rule)
        totals = totals_of(len(samples), shares.of_parts)
        if rule.method == "time":
            part = by_time(units, _times(samples), totals)
        else:
            part = by_class(units, samples.labels, _quotas(samples, totals), rule.seed, purpose, first_keeps_all=True)
        names = PARTS[part][units.of]
    _verify_filled(samples, names, shares)
    return names


def divide_by_fold(samples: SampleTable, rule: Rule, val: float, folds: int, fold: int) -> Array:
    """As `divide`, with fold number `fold` for test; all folds of a rule partition the samples."""
    if rule.method == "hash":
        units = connect(samples, [group_keys(samples, rule.group)])
        part = by_hash(units, [1 / folds] * folds, rule.seed, "folds")
    else:
        units = _units(samples, rule)
        whole, extra = divmod(len(samples), folds)
        totals = [whole + (i < extra) for i in range(folds)]
        quota = quotas(np.bincount(samples.labels, minlength=len(samples.classes)), totals, first_keeps_all=False)
        part = by_class(units, samples.labels, quota, rule.seed, "folds", first_keeps_all=False)
    is_test = (part == fold)[units.of]
    if not is_test.any() or is_test.all():
        raise SplitError(f"{samples.name}: fold {fold} of {folds} would hold {int(is_test.sum())} of {len(samples)} "
                         "samples. There are too few samples or groups; ask for fewer folds.")  # fmt: skip
    names = np.full(len(samples), TEST, object)
    rest = np.flatnonzero(~is_test)
    names[rest] = divide(samples.take(rest), rule, Shares(val * len(samples) / len(rest), 0.0), f"val of fold {fold}")
    if rule.method == "hash":
        names[copies_in_lower_splits(names, pixel_keys(samples))] = None
    return names


def _units(samples: SampleTable, rule: Rule) -> Units:
    return connect(samples, [group_keys(samples, rule.group), pixel_keys(samples)])


def _quotas(samples: SampleTable, totals: list[int]) -> Array:
    counts = np.bincount(samples.labels, minlength=len(samples.classes))
    return quotas(counts, totals, first_keeps_all=True)


def _times(samples: SampleTable) -> Array:
    column, n = samples.table["time"], len(samples)
    if column.null_count:
        missing = "no sample has" if column.null_count == n else f"{column.null_count:,} of {n:,} samples lack"
        raise SplitError(f"{samples.name}: {missing} a time. Give a column of times, filled in every row: "
                         "sightline index SOURCE STUDY --time COLUMN")  # fmt: skip
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)


def _verify_filled(samples: SampleTable, names: Array, shares: Shares) -> None:
    wanted = [name for name, share in zip(PARTS.tolist(), shares.of_parts, strict=True) if share > 0]
    empty = [name for name in wanted if name not in names]
    if empty:
        raise SplitError(
            f"{samples.name}: {len(samples)} samples in {len(samples.classes)} classes leave {' and '.join(empty)} "
            "empty. Train keeps at least one sample (or group) of each class. Add samples, choose larger classes with "
            f"--classes, or do without: {' '.join(f'--{name} 0' for name in empty)}"
        )
