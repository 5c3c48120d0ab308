"""Divisions by time: train ends before val begins, and val before test, so that nothing is learnt from later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.allotment import totals_of
from sightline.splits.parts import SPLITS, TEST, TRAIN, VAL, Parts
from sightline.splits.request import Request, duration_us
from sightline.splits.units import units_of

Array = np.ndarray[Any, Any]

Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Timeline:
    """The distinct moments, in order, at which units of samples end."""

    moments: Array
    """Microseconds since 1970, int64."""
    counts: Array
    """Samples of the units that end at each, int64."""
    embargo: int
    """Microseconds that have to lie between two parts."""

    @cached_property
    def before(self) -> Array:
        """For each moment, how many lie before it by the embargo at least: where the part before must end."""
        allowed = np.searchsorted(self.moments, self.moments - self.embargo, side="right")
        return np.minimum(allowed, np.arange(len(self.moments)))

    @cached_property
    def _depth(self) -> Array:
        """How many parts, an embargo between them, the first 0, 1, … moments can hold."""
        depth = np.zeros(len(self.moments) + 1, np.int64)
        for e, allowed in enumerate(self.before.tolist(), 1):
            depth[e] = 1 + depth[allowed]
        return depth

    def last(self, end: int, total: int, earlier: int) -> Span:
        """The last part of the first `end` moments, as near to `total` samples as can be with `earlier` parts before.

        Raises SplitError when there are too few moments.
        """
        held = np.cumsum(self.counts[:end][::-1])[::-1]
        fits = self._depth[self.before[:end]] >= earlier
        if not fits.any():
            apart = " far enough apart for the embargo" if self.embargo else ""
            raise SplitError(f"A split by time needs at least {earlier + 1} distinct times{apart}, got {end}. Give "
                             "a column with finer times to `sightline index --time`, or ask for fewer folds, a shorter "
                             "embargo or --val 0.")  # fmt: skip
        off = np.where(fits, np.abs(held - total), np.inf)
        return end - 1 - int(np.argmin(off[::-1])), end  # of equally near ones the shortest

    def blocks(self, end: int, count: int) -> list[Span]:
        """The first `end` moments in so many blocks, of equal size but for the first, which gets what is over."""
        line, size = replace(self, embargo=0), int(self.counts[:end].sum()) // count
        spans: list[Span] = []
        for earlier in range(count - 1, 0, -1):
            spans.append(line.last(end, size, earlier))
            end = spans[-1][0]
        return [(0, end), *reversed(spans)]


def divide_by_time(samples: SampleTable, request: Request) -> Parts:
    """Parts by time. A group counts by its latest sample; what of it is no later than the part before is left out.

    With folds the test is a block that moves forward, and train all before it (an expanding window): of folds + 1
    blocks the first is never tested, and val is a share of what lies before the test. Inner folds move val through
    that in the same way.
    """
    times, units = _times(samples), units_of(samples, request)
    latest = np.full(len(units), np.iinfo(np.int64).min)
    np.maximum.at(latest, units.of, times)
    moments, ends = np.unique(latest, return_inverse=True)
    counts = np.bincount(ends, weights=units.sizes, minlength=len(moments)).astype(np.int64)
    line = Timeline(moments, counts, duration_us(str(request.embargo)))
    parts, bounds = _painted(line, request)
    of_row = ends[units.of]
    how: dict[str, Any] = {"val": request.val_share, "test": request.test_share, "from": {}}
    if request.folds:
        how["test"] = 1 / (request.folds + 1)
    parts = Parts(parts.names[of_row], parts.reasons[of_row], how)
    for split, bound in bounds.items():
        early = (parts.names == split) & ~((times > bound) & (times >= bound + line.embargo))
        parts = parts.leave_out(early, f"earlier than {split}, where its group ends")
    return _told(parts, times)


def _painted(line: Timeline, request: Request) -> tuple[Parts, dict[str, int]]:
    """Parts of the moments, painted from the latest to the earliest; the moment by which all before val and test ends.

    The test's bound is the same whatever val is, and so is the test.
    """
    end, bounds = len(line.moments), dict[str, int]()
    parts = Parts.of(np.full(end, None, object), f"later than the test of fold {request.fold} of {request.folds}")

    def paint(span: Span, split: str | None, reason: str = "") -> None:
        nonlocal parts
        at = np.arange(*span)
        parts = parts.put(at, Parts.of(np.full(len(at), split, object), reason))

    def place(split: str, span: Span) -> int:
        paint((0, span[0]), None, f"within the embargo of {request.embargo} before {split}")
        paint(span, split)
        end = int(line.before[span[0]])
        if end == 0:
            raise SplitError(f"The embargo of {request.embargo} leaves nothing to train on before {split}. Shorten it, "
                             "or ask for fewer folds or a later one.")  # fmt: skip
        bounds[split] = int(line.moments[end - 1])
        return end

    wanted = totals_of(int(line.counts.sum()), (1, request.val_share, request.test_share))
    has_val = bool(request.val_share or request.inner)
    if request.folds:
        end = place(TEST, line.blocks(end, request.folds + 1)[request.fold + 1])
        wanted[1] = totals_of(int(line.counts[:end].sum()), (1, request.val_share))[1]
    elif request.test_share:
        end = place(TEST, line.last(end, wanted[2], 1 + has_val))
    if request.inner:
        paint((0, end), None, f"later than val of inner fold {request.inner_fold} of {request.inner}")
        end = place(VAL, line.blocks(end, request.inner + 1)[request.inner_fold + 1])
    elif request.val_share:
        end = place(VAL, line.last(end, wanted[1], 1))
    paint((0, end), TRAIN)
    return parts, bounds


def _told(parts: Parts, times: Array) -> Parts:
    """Parts with the times of each split as its reason, and where it begins on record."""
    reasons, begins = parts.reasons.copy(), {}
    for split in SPLITS.tolist():
        inside = parts.names == split
        if inside.any():
            begins[split] = _iso(times[inside].min())
            reasons[inside] = f"time from {begins[split]} to {_iso(times[inside].max())}"
    return Parts(parts.names, reasons, {**parts.how, "from": begins})


def _times(samples: SampleTable) -> Array:
    """Time of each sample in microseconds since 1970. Raises SplitError where one is missing or was never set."""
    column, n = samples.table["time"], len(samples)
    if column.null_count:
        missing = "no sample has" if column.null_count == n else f"{column.null_count:,} of {n:,} samples lack"
        raise SplitError(f"{samples.name}: {missing} a time. Give a column of times, filled in every row: "
                         "sightline index SOURCE STUDY --time COLUMN")  # fmt: skip
    times = np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
    unset = np.flatnonzero(times == 0)
    if len(unset):
        raise SplitError(f"{samples.name}: {len(unset):,} of {n:,} samples have the time 1970-01-01 00:00:00, which is "
                         f"a clock that was never set, e.g. {samples.column('key')[int(unset[0])]}. Correct the column "
                         "of times, or leave these samples out of the source.")  # fmt: skip
    return times


def _iso(moment: int) -> str:
    return str(np.datetime64(int(moment), "us").astype("datetime64[s]"))
