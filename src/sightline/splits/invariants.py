"""What splits promise, verified from the rows rather than trusted to the rule that made them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.digests import short
from sightline.errors import DataError, SplitError
from sightline.samples import SampleTable
from sightline.splits.labelling import is_divided, labelling
from sightline.splits.parts import SPLITS, TEST, TRAIN, VAL
from sightline.splits.request import OFFICIAL, duration_us
from sightline.splits.units import Keys, group_of_kind, held_keys, pixel_keys
from sightline.splits.values import Splits, fingerprint_of

Array = np.ndarray[Any, Any]


def verify(samples: SampleTable, splits: Splits) -> None:
    """None, when the splits keep what they promise about these samples.

    A row for each sample in order; no group in two splits; no exact copy in two (but for official splits); each class
    of val and test in train; by time, train before val before test with the embargo between; by domain, no domain on
    both sides; the test's images those that were sealed. Raises DataError for splits of other samples, SplitError for
    a promise that is broken.
    """
    if splits.samples_digest != samples.digest:
        raise DataError(f"The splits were made for other samples than {samples.name} holds now (samples "
                        f"{short(splits.samples_digest)}, these are {short(samples.digest)}). Assign them again: "
                        "sightline split STUDY")  # fmt: skip
    if not splits.table["sample_id"].equals(samples.table["sample_id"]):
        raise SplitError(f"The rows of the splits are not those of {samples.name}, one for each sample in order. Make "
                         "them again: sightline split STUDY")  # fmt: skip
    samples, how = samples.hashed(), splits.how
    names = np.array(splits.table["split"].to_pylist(), object)
    kind = str(how.get("domain", "")).partition("=")[0]
    _verify_groups(samples, names, held_keys(samples, tuple(how.get("group", ())), kind))
    _verify_classes(samples, names, how)
    if how.get("by") != OFFICIAL:
        verify_copies(samples, names, pixel_keys(samples))
    if "from" in how:
        _verify_times(samples, names, how)
    if "tested" in how:
        _verify_domains(samples, names, kind, set(how["tested"]))
    _verify_fingerprint(samples, names, splits)


def _verify_classes(samples: SampleTable, names: Array, how: Mapping[str, Any]) -> None:
    if TRAIN not in names:
        return  # a set made for testing, sealed whole
    shown = labelling(samples)
    counts = {s: shown.counts(names == s) for s in SPLITS.tolist()}
    missing = np.flatnonzero((counts[TRAIN] == 0) & (counts[VAL] + counts[TEST] > 0))
    if len(missing):
        c = int(missing[0])
        more = f" ({len(missing)} classes in all)" if len(missing) > 1 else ""
        where = _said({s: int(n[c]) for s, n in counts.items() if n[c]})
        anew = "Split anew with every class in train: sightline split STUDY --by stratified"
        if how.get("folds") or how.get("inner"):
            anew = "Folds ask about every sample in turn, so a class needs two (or two groups). Split without folds"
        raise SplitError(f"class {samples.classes.title(c)!r} has {where} and none in train{more}: it could never be "
                         f"learnt. {anew}; or choose others with --classes.")  # fmt: skip


def _verify_groups(samples: SampleTable, names: Array, keys: Keys) -> None:
    found = crossing(names, keys)
    if found is not None:
        code, counts, total = found
        what, kinds = _named(samples, keys, code)
        flag = f" --group {','.join(kinds)}" if kinds else ""
        more = f" {total} groups of {samples.name} are in two splits." if total > 1 else ""
        raise SplitError(f"{what} has {_said(counts)}.{more}\n  Split by group: sightline split STUDY --by group{flag}")


def verify_copies(samples: SampleTable, names: Array, keys: Keys, what: str = "the image with pixels") -> None:
    """None, or SplitError when samples of one key are in two splits."""
    found = crossing(names, keys)
    if found is not None:
        code, counts, total = found
        first = samples.column("key")[int(keys.rows[keys.codes == code][0])]
        raise SplitError(f"{samples.name}: {what} {keys.name(code)} ({first}) has {_said(counts)} ({total} such in "
                         "all). Split anew, sightline split STUDY --by stratified; or leave one out of your file, if a "
                         "file made the split.")  # fmt: skip


def _verify_times(samples: SampleTable, names: Array, how: Mapping[str, Any]) -> None:
    times = samples.table["time"].cast(pa.int64()).to_numpy(zero_copy_only=False)
    embargo = duration_us(how.get("embargo", ""))
    present = [s for s in SPLITS.tolist() if (names == s).any()]
    for earlier, later in pairwise(present):
        gap = float(times[names == later].min()) - float(times[names == earlier].max())
        if not (gap > 0 and gap >= embargo):  # also where a time is missing
            raise SplitError(f"{samples.name}: {earlier} does not end before {later} begins, with the embargo "
                             f"({how.get('embargo') or 'none'}) between. Split anew: sightline split STUDY --by time")


def _verify_domains(samples: SampleTable, names: Array, kind: str, tested: set[str]) -> None:
    domains = group_of_kind(samples, kind)
    is_tested = np.isin(domains.astype(str), sorted(tested))
    wrong = np.flatnonzero((is_tested != (names == TEST)) & (names != None))  # noqa: E711 — elementwise
    if len(wrong):
        key = samples.column("key")[int(wrong[0])]
        raise SplitError(f"{samples.name}: {len(wrong)} samples are on the wrong side of {kind}, e.g. {key}. Split "
                         f"anew: sightline split STUDY --by domain --domain {kind}")  # fmt: skip


def _verify_fingerprint(samples: SampleTable, names: Array, splits: Splits) -> None:
    tested = is_divided(samples) if splits.folds else names == TEST
    if splits.fingerprint is not None and fingerprint_of(samples, tested) != splits.fingerprint:
        raise SplitError(f"The images of the test of {samples.name} are not those that were sealed: a file was changed "
                         "since. Restore it; or split anew, which is another test: sightline split STUDY")


def _named(samples: SampleTable, keys: Keys, code: int) -> tuple[str, tuple[str, ...]]:
    """What to call a group, and the kinds to name so that it is kept whole."""
    if keys.kinds:
        return keys.name(code), keys.kinds
    rows = keys.rows[keys.codes == code]
    of = {(g["kind"], g["id"]) for row in samples.table["groups"].take(rows).to_pylist() for g in row or ()}
    names = " ".join(next(iter(of))) if len(of) == 1 else f"group {keys.name(code)!r}"
    return names, tuple(sorted({kind for kind, _ in of}))


def _said(counts: dict[str, int]) -> str:
    (split, n), *others = counts.items()
    first = f"{n} sample{'s' if n > 1 else ''} in {split}"
    return " and ".join([first, *(f"{n} in {split}" for split, n in others)])


def crossing(names: Array, keys: Keys) -> tuple[int, dict[str, int], int] | None:
    """The first key whose rows are in several splits, its rows in each, and how many such keys there are; or None."""
    ranks = ranks_of(names)[keys.rows]
    homes = np.zeros(len(keys), np.int64)
    for rank in (1, 2, 3):
        is_in = np.zeros(len(keys), bool)
        is_in[keys.codes[ranks == rank]] = True
        homes += is_in
    several = np.flatnonzero(homes > 1)
    if len(several) == 0:
        return None
    code = min(several.tolist(), key=keys.name)
    counts = np.bincount(ranks[keys.codes == code], minlength=4)
    return code, {s: int(n) for s, n in zip(SPLITS.tolist(), counts[1:], strict=True) if n}, len(several)


def ranks_of(names: Array) -> Array:
    """0 for a sample in no split, 1 train, 2 val, 3 test; int64."""
    ranks = np.zeros(len(names), np.int64)
    for rank, split in enumerate(SPLITS, 1):
        ranks[names == split] = rank
    return ranks
