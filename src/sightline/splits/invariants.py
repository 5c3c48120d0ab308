"""What must hold after every assignment, verified from the rows rather than trusted to the rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.units import Keys
from sightline.splits.values import TEST, TRAIN, VAL

Array = np.ndarray[Any, Any]


def verify_classes(samples: SampleTable, names: Array) -> None:
    """Raises SplitError when a class that val or test holds has no sample in train."""
    if TRAIN not in names:
        return  # a set made for testing, sealed whole
    labels = samples.labels
    counts = {s: np.bincount(labels[names == s], minlength=len(samples.classes)) for s in (TRAIN, VAL, TEST)}
    missing = np.flatnonzero((counts[TRAIN] == 0) & (counts[VAL] + counts[TEST] > 0))
    if len(missing):
        c = int(missing[0])
        more = f" ({len(missing)} classes in all)" if len(missing) > 1 else ""
        where = _said({s: int(n[c]) for s, n in counts.items() if n[c]})
        raise SplitError(
            f"class {samples.classes.title(c)!r} has {where} and none in train{more}: it could never be learnt. Split "
            "anew with every class in train: sightline split STUDY --by stratified; or choose others with --classes."
        )


def verify_groups(samples: SampleTable, names: Array, keys: Keys) -> None:
    """Raises SplitError when a group is in two splits."""
    found = crossing(names, keys)
    if found is not None:
        code, counts, total = found
        what, kinds = _named(samples, keys, code)
        flag = f" --group {','.join(kinds)}" if kinds else ""
        more = f" {total} groups of {samples.name} are in two splits." if total > 1 else ""
        raise SplitError(f"{what} has {_said(counts)}.{more}\n  Split by group: sightline split STUDY --by group{flag}")


def verify_copies(samples: SampleTable, names: Array, keys: Keys) -> None:
    """Raises SplitError when exact copies of one image are in two splits."""
    found = crossing(names, keys)
    if found is not None:
        code, counts, total = found
        raise SplitError(f"{samples.name}: the image with pixels {keys.names[code]} has {_said(counts)} ({total} "
                         "such images). Split anew: sightline split STUDY --by stratified")  # fmt: skip


def _named(samples: SampleTable, keys: Keys, code: int) -> tuple[str, tuple[str, ...]]:
    """What to call a group, and the kinds to name so that it is kept whole."""
    if keys.kinds:
        return keys.names[code], keys.kinds
    rows = keys.rows[keys.codes == code]
    of = {(g["kind"], g["id"]) for row in samples.table["groups"].take(rows).to_pylist() for g in row or ()}
    names = " ".join(next(iter(of))) if len(of) == 1 else f"group {keys.names[code]!r}"
    return names, tuple(sorted({kind for kind, _ in of}))


def _said(counts: dict[str, int]) -> str:
    (split, n), *others = counts.items()
    first = f"{n} sample{'s' if n > 1 else ''} in {split}"
    return " and ".join([first, *(f"{n} in {split}" for split, n in others)])


def copies_in_lower_splits(names: Array, keys: Keys) -> Array:
    """Rows whose key also occurs in a split that ranks higher: test before val before train."""
    rank = np.asarray([("", TRAIN, VAL, TEST).index(n or "") for n in names[keys.rows]], np.int64)
    highest = np.zeros(len(keys.names), np.int64)
    np.maximum.at(highest, keys.codes, rank)
    return keys.rows[rank < highest[keys.codes]]


def crossing(names: Array, keys: Keys) -> tuple[int, dict[str, int], int] | None:
    """The first key whose rows are in several splits, its rows in each, and how many such keys there are; or None."""
    is_in = _is_assigned(names)[keys.rows]
    rows, codes = keys.rows[is_in], keys.codes[is_in]
    splits, of_split = np.unique(names[rows].astype(str), return_inverse=True)
    if len(splits) < 2:
        return None
    pairs = np.unique(codes * len(splits) + of_split)
    keys_seen, times = np.unique(pairs // len(splits), return_counts=True)
    several = keys_seen[times > 1]
    if len(several) == 0:
        return None
    code = int(min(several, key=lambda k: keys.names[k]))
    inside = of_split[codes == code]
    order = [s for s in ("train", "val", "test") if s in set(splits[inside])]
    return code, {s: int((splits[inside] == s).sum()) for s in order}, len(several)


def _is_assigned(names: Array) -> Array:
    return np.asarray([n is not None for n in names], bool)
