"""Samples to train, val and a sealed test: by the source's own splits, by class, by group, by time or by hash.

Samples that share a group, and exact copies of one image, are never parted by an assignment made here. The official
splits of a source are taken as they are: copies across them are for the audit to find, groups across them are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.digests import digest_of
from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.invariants import verify_classes, verify_copies, verify_groups
from sightline.splits.official import divide_officially, has_official
from sightline.splits.own import Rule, Shares, divide, divide_by_fold
from sightline.splits.request import METHODS, OFFICIAL, Request
from sightline.splits.statistics import Statistics, channel_statistics
from sightline.splits.units import Keys, group_keys, pixel_keys
from sightline.splits.values import SCHEMA, TEST, Fold, SealedSplit, Split, Splits, assignment, fingerprint_of

__all__ = [
    "METHODS", "SCHEMA", "Fold", "SealedSplit", "Split", "Splits", "Statistics", "channel_statistics", "split",
]  # fmt: skip

Array = np.ndarray[Any, Any]


def split(
    samples: SampleTable,
    *,
    by: str = "auto",
    val: float | str | None = None,
    test: float | None = None,
    seed: int = 0,
    group: Sequence[str] = (),
    folds: int = 0,
    fold: int = 0,
) -> Splits:
    """Assignment of every sample to train, val or the sealed test, verified; unlabelled samples are in none.

    `by`: official | stratified | group | time | hash; auto takes the official splits where there are any, else group
    where a group holds several samples, else stratified. `val` (default 0.1) and `test` (default 0.2) are shares of
    the samples that are divided here: of all, or of the official train. An official val becomes the sealed test where
    there is no labelled official test; `val="official"` keeps it for choosing. `group` names the kinds of groups that
    must not be parted (default: all). With `folds`, the test is fold number `fold`, counted from 0; the folds of a
    seed partition the data. Triggers the first full read of the images. Raises SplitError when an invariant cannot
    hold.
    """
    request = Request(by=by, val=val, test=test, seed=seed, group=tuple(group), folds=folds, fold=fold)
    if len(samples.classes) < 2:
        raise SplitError(f"{samples.name} has one class, {samples.classes.title(0)!r}: there is nothing to tell apart. "
                         "Check that the source is the folder above the class folders.")  # fmt: skip
    samples = samples.hashed()
    labelled = np.flatnonzero(samples.is_labelled)
    if len(labelled) == 0:
        if samples.table["labels"].null_count < len(samples):
            raise SplitError(f"The samples of {samples.name} have several labels each, or labels of other spaces, and "
                             "none of its own class; training takes one class a sample. Index a view that has one "
                             "(coco#crops, say), or the class column of a manifest.")  # fmt: skip
        raise SplitError(f"No sample of {samples.name} has a label: nothing can be learnt or measured. Labels are "
                         "folder names, or a column of the manifest.")  # fmt: skip
    inside = samples.take(labelled)
    keys = group_keys(inside, request.group)
    method, why = _method(inside, request, keys)
    names, how = _divide(inside, request, method)
    _verify(inside, names, keys, method)
    return _splits(samples, inside, names, {"by": method, **({"why": why} if why else {}), **how})


def _method(samples: SampleTable, request: Request, keys: Keys) -> tuple[str, str]:
    """The method, and the reason where it was chosen here."""
    has_groups = bool(len(keys.codes) and np.bincount(keys.codes).max() > 1)
    if request.by == "auto":
        if has_official(samples):
            if request.folds:
                raise SplitError(f"{samples.name} has official splits, which folds would mix. To fold over all samples "
                                 "say so: --by stratified (or group).")  # fmt: skip
            return "official", "the source has its own splits"
        if has_groups:
            return "group", "groups hold several samples"
        return "stratified", "no official splits and no groups"
    if request.by == "group" and not has_groups:
        raise SplitError(f"No group of {samples.name} holds more than one sample. Name the column that says what "
                         "belongs together: sightline index SOURCE STUDY --group COLUMN")  # fmt: skip
    return request.by, ""


def _divide(samples: SampleTable, request: Request, method: str) -> tuple[Array, dict[str, Any]]:
    if method == OFFICIAL:
        names, how = divide_officially(samples, request)
        return names, {**how, "seed": request.seed, "group": list(request.group)}
    if request.val == OFFICIAL:
        raise SplitError(f"val 'official' needs the official splits of {samples.name}, got by {method!r}. "
                         "Give a share: --val 0.1")  # fmt: skip
    rule = Rule(method, request.seed, request.group)
    how = {"val": request.val_share, "test": request.test_share, "seed": request.seed, "group": list(request.group)}
    if not request.folds:
        return divide(samples, rule, Shares(request.val_share, request.test_share)), how
    names = divide_by_fold(samples, rule, request.val_share, request.folds, request.fold)
    plan = digest_of([samples.digest, method, request.seed, list(request.group), request.folds])
    return names, {**how, "test": 1 / request.folds, "folds": request.folds, "fold": request.fold, "plan": plan}


def _verify(samples: SampleTable, names: Array, keys: Keys, method: str) -> None:
    verify_groups(samples, names, keys)
    verify_classes(samples, names)
    if method != OFFICIAL:
        verify_copies(samples, names, pixel_keys(samples))


def _splits(samples: SampleTable, inside: SampleTable, names: Array, how: dict[str, Any]) -> Splits:
    """The value for all samples, from the names of the labelled ones."""
    left_out = "copy of a sample in another split" if how["by"] == "hash" else "in no official split"
    ids = samples.column("sample_id")
    of = dict(zip(inside.column("sample_id"), names.tolist(), strict=True))
    reasons = [None if of.get(i) is not None else left_out if i in of else "unlabelled" for i in ids]
    fingerprint = None
    if (names == TEST).any():
        # The folds of a plan are one look at all that is divided, so their tests share a fingerprint.
        tested = inside if how.get("folds") else inside.take(names == TEST)
        fingerprint = fingerprint_of(tested.column("content_sha256"), tested.column("sample_id"))
    return Splits(assignment(ids, [of.get(i) for i in ids], reasons), how, samples.digest, fingerprint)
