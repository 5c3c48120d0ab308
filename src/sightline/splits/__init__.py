"""Samples to train, val and a sealed test, each with the reason why it is there.

Samples that share a group, and exact copies of one image, are never parted by an assignment made here. The official
splits of a source are taken as they are: copies across them are for the audit to find, groups across them are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from sightline.digests import digest_of
from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.domains import divide_by_domain
from sightline.splits.invariants import verify, verify_copies
from sightline.splits.labelling import is_divided, shows_several
from sightline.splits.manifests import as_the_file_says, divide_by_file, write_csv
from sightline.splits.official import divide_officially, has_official
from sightline.splits.own import divide
from sightline.splits.parts import TEST, Parts
from sightline.splits.request import (
    DOMAIN,
    FILE,
    GROUP,
    HASH,
    METHODS,
    OFFICIAL,
    RANDOM,
    STRATIFIED,
    TIME,
    Request,
    request_of,
)  # fmt: skip
from sightline.splits.statistics import Statistics, channel_statistics
from sightline.splits.temporal import divide_by_time
from sightline.splits.units import group_keys, pair_keys
from sightline.splits.values import SCHEMA, Fold, SealedSplit, Split, Splits, assignment, fingerprint_of

__all__ = [
    "METHODS", "SCHEMA", "Fold", "Request", "SealedSplit", "Split", "Splits", "Statistics", "channel_statistics",
    "folds", "shows_several", "split", "verify", "write_csv",
]  # fmt: skip

RULES: dict[str, Callable[[SampleTable, Request], Parts]] = {
    OFFICIAL: divide_officially, RANDOM: divide, STRATIFIED: divide, GROUP: divide, HASH: divide,
    TIME: divide_by_time, DOMAIN: divide_by_domain, FILE: divide_by_file,
}  # fmt: skip


def split(samples: SampleTable, request: Request | None = None, /, **options: Any) -> Splits:
    """Assignment of every sample to train, val or the sealed test, or to none, each with the reason, verified.

    What is asked for is a `Request`, or its fields as keywords: `split(samples, by="group", val=0.1)`. Samples whose
    class nobody told, and those dropped in review, are in none. The folds of a seed partition the data, and so do the
    inner folds what is not test. Triggers the first full read of the images. Raises SplitError when the request
    contradicts itself or an invariant cannot hold.
    """
    request = request_of(request, options)
    if len(samples.classes) < 2:
        raise SplitError(f"{samples.name} has one class, {samples.classes.title(0)!r}: there is nothing to tell apart. "
                         "Check that the source is the folder above the class folders.")  # fmt: skip
    samples = samples.hashed()
    chosen = is_divided(samples)
    if not chosen.any():
        raise SplitError(f"No sample of {samples.name} has a label: nothing can be learnt or measured. Labels are "
                         "folder names, or a column of the manifest.")  # fmt: skip
    samples.positions({i for pair in request.together for i in pair})  # pairs of another table are refused
    inside = (as_the_file_says(samples, request) if request.is_file else samples).take(chosen)
    method, why = _method(inside, request)
    if request.val == OFFICIAL and method != OFFICIAL:
        raise SplitError(f"val 'official' needs the official splits of {samples.name}, got by {method!r}. "
                         "Give a share: --val 0.1")  # fmt: skip
    request = request if request.is_file else replace(request, by=method)
    parts = RULES[method](inside, request)
    verify_copies(inside, parts.names, pair_keys(inside, request.together if method != OFFICIAL else ()), "the pair of")
    how = {"by": method, **({"why": why} if why else {}), **parts.how, **_recorded(inside, request, parts)}
    splits = _splits(samples, chosen, parts, how)
    verify(samples, splits)
    return splits


def folds(samples: SampleTable, request: Request | None = None, /, **options: Any) -> Iterator[Splits]:
    """All divisions of a plan: each fold of each repeat in order, and within it each inner fold.

    Of a request without folds that is the one division, or its inner folds. Arguments and errors are those of `split`.
    """
    request = request_of(request, options)
    number = fold = 0
    while fold == 0 or fold < number:
        for inner_fold in range(max(1, request.inner)):
            splits = split(samples, replace(request, fold=fold, inner_fold=inner_fold))
            number = splits.folds
            yield splits
        fold += 1


def _method(samples: SampleTable, request: Request) -> tuple[str, str]:
    """The method, and the reason where it was chosen here."""
    if request.by not in {"auto", GROUP}:
        return FILE if request.is_file else request.by, ""
    codes = group_keys(samples, request.group).codes
    has_groups = bool(len(codes) and np.bincount(codes).max() > 1)
    if request.by == GROUP:
        if not has_groups:
            raise SplitError(f"No group of {samples.name} holds more than one sample. Name the column that says what "
                             "belongs together: sightline index SOURCE STUDY --group COLUMN")  # fmt: skip
        return GROUP, ""
    if has_official(samples):
        if request.folds:
            raise SplitError(f"{samples.name} has official splits, which folds would mix. To fold over all samples say "
                             "so: --by stratified (or group). To fold its train, for choosing: --inner "
                             f"{request.folds}")  # fmt: skip
        return OFFICIAL, "the source has its own splits"
    return (GROUP, "groups hold several samples") if has_groups else (STRATIFIED, "no official splits and no groups")


def _recorded(samples: SampleTable, request: Request, parts: Parts) -> dict[str, Any]:
    """What of the request is stored with the splits, and the digest of a plan of folds."""
    how: dict[str, Any] = {"seed": request.seed, "group": list(request.group)}
    if request.together:
        pairs = sorted(sorted(i.hex() for i in pair) for pair in request.together)
        how |= {"pairs": len(pairs), "pairs_digest": digest_of(pairs)}
    if request.embargo:
        how["embargo"] = str(request.embargo)
    number = parts.how.get("folds", request.folds)
    if number:
        # The folds of a plan are one look, registered in advance: what decides them is what the plan is.
        known = {**parts.how, **how}
        further = [*([request.repeats] if request.repeats > 1 else []),
                   *(known[name] for name in ("pairs_digest", "embargo", "domain") if name in known)]
        plan = digest_of([samples.digest, request.by, request.seed, list(request.group), number, *further])
        how |= {"folds": number, "fold": request.fold, "plan": plan}
        how |= {"repeats": request.repeats} if request.repeats > 1 else {}
    return how | ({"inner": request.inner, "inner_fold": request.inner_fold} if request.inner else {})


def _splits(samples: SampleTable, chosen: np.ndarray[Any, Any], parts: Parts, how: dict[str, Any]) -> Splits:
    """The value for all samples, from the parts of those that are divided."""
    names, reasons = np.full(len(samples), None, object), np.full(len(samples), "unlabelled", object)
    dropped = np.flatnonzero(samples.is_dropped)
    why = samples.table["reason"].take(dropped).to_pylist()
    reasons[dropped] = [w or "dropped in review" for w in why]
    names[chosen], reasons[chosen] = parts.names, parts.reasons
    fingerprint = None
    if (names == TEST).any():
        # The folds of a plan are one look at all that is divided, so their tests share a fingerprint.
        fingerprint = fingerprint_of(samples, chosen if how.get("folds") else names == TEST)
    table = assignment(samples.column("sample_id"), names.tolist(), reasons.tolist())
    return Splits(table, how, samples.digest, fingerprint)
