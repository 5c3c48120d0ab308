"""Divisions made here: whole units drawn at random, by class or by hash; single, in folds, and in folds of folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.allotment import by_class, by_hash, quotas, totals_of
from sightline.splits.invariants import ranks_of
from sightline.splits.iterative import by_labels
from sightline.splits.labelling import labelling
from sightline.splits.parts import SPLITS, TEST, TRAIN, VAL, Parts
from sightline.splits.request import DEFAULT_VAL, GROUP, HASH, RANDOM, STRATIFIED, Request
from sightline.splits.units import Keys, connect, held_keys, pair_keys, pixel_keys, units_of

Array = np.ndarray[Any, Any]

DRAWN_BY = {RANDOM: "at random", STRATIFIED: "by class", GROUP: "by group and class", HASH: "by hash"}


def divide(samples: SampleTable, request: Request) -> Parts:
    """Parts by `random`, `stratified`, `group` or `hash`: those of one draw, or one fold of the draw of all folds."""
    how = {"val": request.val_share, "test": request.test_share}
    if request.folds:
        repeat, number = divmod(request.fold, request.folds)
        again = f", repeat {repeat}" if repeat else ""
        fold_of = _folds(samples, request, request.folds, f"folds{again}")
        is_test, how["test"] = fold_of == number, 1 / request.folds
        parts = Parts(np.full(len(samples), TEST, object), _numbered(fold_of, request.folds, again), how)
        rest = np.flatnonzero(~is_test)
        held = hold_out(samples.take(rest), request, len(samples), f"of fold {request.fold}")
        reasons = np.array([f"{a}, {b}" for a, b in zip(parts.reasons[rest], held.reasons, strict=True)], object)
        parts = parts.put(rest, Parts(held.names, reasons, how))
    else:
        parts = _single(samples, request, how)
    if request.by == HASH:
        parts = _copies_left_out(samples, request, parts)
        _require_filled(samples, request, parts.names, (1, request.val_share or request.inner, how["test"]))
    return parts


def _single(samples: SampleTable, request: Request, how: dict[str, float]) -> Parts:
    """Parts of one draw. The test is that of the default val, whatever val is: another val brings no other test, which
    would be looked at as a new one and yet share most of its images with the old."""
    test = request.test_share
    val = request.val_share if request.by == HASH else min(DEFAULT_VAL, (1 - test) / 2)
    names = SPLITS[_draw(samples, request, (1 - val - test, val, test), "divide")]
    parts = Parts.of(names, _reason(request), **how)
    if request.inner or val != request.val_share:
        rest = np.flatnonzero(names != TEST)
        _require_filled(samples, request, np.where(names != TEST, TRAIN, names), (1, 0, 0))
        parts = parts.put(rest, hold_out(samples.take(rest), request, len(samples)))
    _require_filled(samples, request, parts.names, (1, request.val_share or request.inner, test))
    return parts


def hold_out(samples: SampleTable, request: Request, of: int, what: str = "") -> Parts:
    """Train and val of samples that are not test: one inner fold is val, or a share of `of` samples."""
    if request.inner:
        fold_of = _folds(samples, request, request.inner, f"inner folds {what or 'of train'}")
        is_val = fold_of == request.inner_fold
        return Parts(np.where(is_val, VAL, TRAIN).astype(object), _numbered(fold_of, request.inner, inner="inner "))
    # By hash the share follows from the request alone: counted, it would move old samples as a set grows.
    share = request.val_share * (1 / (1 - 1 / request.folds) if request.by == HASH else of / len(samples))
    if share >= 1:
        raise SplitError(f"{samples.name}: val of {request.val_share:g} leaves nothing to train on; the samples that "
                         f"are not test are {len(samples):,} of {of:,}. Ask for less: "
                         f"--val {DEFAULT_VAL * len(samples) / of:.1g}")  # fmt: skip
    shares = (1 - share, share, 0.0)
    names = SPLITS[_draw(samples, request, shares, f"val {what}" if what else "divide")]
    _require_filled(samples, request, names, shares)
    return Parts.of(names, _reason(request))


def _draw(samples: SampleTable, request: Request, shares: Sequence[float], purpose: str) -> Array:
    """Number of the part of each sample, drawn unit by unit; the first part has every class where that is asked for."""
    if request.by == HASH:
        units = connect(samples, [held_keys(samples, request.group)])
        return by_hash(units, shares, request.seed, purpose)[units.of]
    totals = totals_of(len(samples), shares)
    return _allot(samples, request, totals, purpose, first_keeps_all=True)


def _folds(samples: SampleTable, request: Request, folds: int, purpose: str) -> Array:
    """Number of the fold of each sample. Raises SplitError where one of them would be empty, or hold all."""
    if request.by == HASH:
        units = connect(samples, [held_keys(samples, request.group)])
        fold_of = by_hash(units, [1 / folds] * folds, request.seed, purpose)[units.of]
    else:
        whole, extra = divmod(len(samples), folds)
        totals = [whole + (i < extra) for i in range(folds)]
        fold_of = _allot(samples, request, totals, purpose, first_keeps_all=False)
    counts = np.bincount(fold_of, minlength=folds)
    if not counts.all():
        what, fewer = "inner fold" if "inner" in purpose else "fold", "; ask for fewer folds" if folds > 2 else ""
        raise SplitError(f"{samples.name}: {what} {int(counts.argmin())} of {folds} would hold 0 of {len(samples)} "
                         f"samples.{_largest(samples, request)} There are too few samples or groups{fewer}.")
    return fold_of


def _allot(
    samples: SampleTable, request: Request, totals: list[int], purpose: str, *, first_keeps_all: bool
) -> Array:  # fmt: skip
    units, shown = units_of(samples, request), labelling(samples)
    if request.by != RANDOM and not shown.is_single:
        return by_labels(units, shown, totals, request.seed, purpose, first_keeps_all=first_keeps_all)[units.of]
    # At random is by class where all are of one class.
    labels = shown.labels if request.by != RANDOM else np.zeros(len(samples), np.int64)
    quota = quotas(np.bincount(labels, minlength=shown.num_classes), totals, first_keeps_all=first_keeps_all)
    return by_class(units, labels, quota, request.seed, purpose, first_keeps_all=first_keeps_all)[units.of]


def _copies_left_out(samples: SampleTable, request: Request, parts: Parts) -> Parts:
    """A hash parts copies, so that growth moves no sample: those in lower splits than another are left out."""
    for keys in (pixel_keys(samples), pair_keys(samples, request.together)):
        for rows, split in _in_lower_splits(parts.names, keys):
            parts = parts.leave_out(rows, f"copy of a sample in {split}")
    return parts


def _in_lower_splits(names: Array, keys: Keys) -> list[tuple[Array, str]]:
    """Rows whose key also occurs in a split that ranks higher, and that split: test before val before train."""
    rank = ranks_of(names)[keys.rows]
    highest = np.zeros(len(keys), np.int64)
    np.maximum.at(highest, keys.codes, rank)
    above = highest[keys.codes]
    return [(keys.rows[(rank > 0) & (rank < above) & (above == r)], split) for r, split in enumerate(SPLITS, 1)]


def _reason(request: Request) -> str:
    return f"drawn {DRAWN_BY.get(request.by, 'by class')}, seed {request.seed}"


def _numbered(fold_of: Array, folds: int, again: str = "", inner: str = "") -> Array:
    said = np.array([f"{inner}fold {i} of {folds}{again}" for i in range(folds)], object)
    return np.asarray(said[fold_of], object)


def _require_filled(samples: SampleTable, request: Request, names: Array, shares: Sequence[float]) -> None:
    wanted = [name for name, share in zip(SPLITS.tolist(), shares, strict=True) if share > 0]
    empty = [name for name in wanted if name not in names]
    if empty:
        without = " ".join(f"--{name} 0" for name in empty)
        raise SplitError(
            f"{samples.name}: {len(samples)} samples in {len(samples.classes)} classes leave {' and '.join(empty)} "
            f"empty.{_largest(samples, request)} Train keeps at least one sample (or group) of each class. Add "
            "samples, choose larger classes with --classes, or "
            f"{'ask for smaller shares' if TRAIN in empty else f'do without: {without}'}"
        )


def _largest(samples: SampleTable, request: Request) -> str:
    """A sentence on the largest unit, where it is what stands in the way."""
    units = units_of(samples, request)
    n, at = int(units.sizes.max()), int(units.sizes.argmax())
    if n == 1 or 2 * n < len(samples):
        return ""
    joined = ""
    if _is_joined(samples, request):
        joined = " Groups that share samples are joined: name fewer kinds with --group."
    return f" One group, {units.names[at]}, holds {n} of them.{joined}"


def _is_joined(samples: SampleTable, request: Request) -> bool:
    """Whether a sample is in several of the groups that hold it."""
    groups = samples.table["groups"].combine_chunks()
    kinds = set(request.group) or set(groups.flatten().field("kind").to_pylist())
    return len(kinds - {request.domain_kind}) > 1
