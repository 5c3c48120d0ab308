"""How the samples were assigned to train, val and test, and which promises of the assignment hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from sightline.reporting.data import SPLITS, Names
from sightline.reporting.wording import listed, plural
from sightline.samples import SampleTable
from sightline.splits import Splits

METHODS = {
    "official": "The test split is the source's own, so the number can be compared with published ones.",
    "random": "Samples were assigned at random, whatever their class.",
    "stratified": "Samples were assigned at random within each class, so every split has the classes in equal shares.",
    "group": "Whole groups were assigned, never their samples one by one: what belongs together, such as the images "
             "of one patient, is in one split.",
    "time": "Samples were assigned by their time: the model is tested on what came after everything it learnt from.",
    "hash": "Each sample's split follows from a hash of its group, so that new samples never move an old one.",
    "domain": "Whole domains were assigned: the model is tested on one that it never saw.",
    "file": "A file that was given says where each sample goes; the promises below were verified all the same.",
}  # fmt: skip


def describe_split(samples: SampleTable, splits: Splits, assigned: Names) -> dict[str, Any]:
    """Paragraphs on the method, the promises counted again from the table, and everything recorded."""
    how = dict(splits.how)
    told = [METHODS[how["by"]]] if how.get("by") in METHODS else []
    told += [f"Chosen automatically: {how['why']}."] if how.get("why") else []
    told.append(_on_test(splits))
    recorded = [(k.replace("_", " "), _said(v)) for k, v in how.items()]
    return {"told": told, "verified": _verified(samples, splits, assigned), "how": recorded}


def _on_test(splits: Splits) -> str:
    if splits.test is None:
        return ("There is no labelled test split. Choices were made on val, and the number was measured there too, "
                "so it is optimistic.")
    fold = ""
    if splits.folds:
        fold = (f"This is fold {splits.how['fold']} of {splits.folds}, counted from 0, and its number a part of the "
                "plan's: `sightline evaluate` puts all scored folds together. ")  # fmt: skip
    return (f"{fold}The test split of {plural(splits.test.n, 'sample')} is sealed: training never sees its ids, and "
            "the ledger writes a line before each time it is opened. This protects against accident, not malice.")


def _verified(samples: SampleTable, splits: Splits, assigned: Names) -> list[str]:
    """Each promise that holds, as a sentence; counted here again rather than taken from the split's own record."""
    present = [s for s in SPLITS if (assigned == s).any()]
    inside = np.isin(assigned.astype(str), present)
    said = [f"Every sample is in one of {listed(present)}, and in no two." if inside.all() else
            f"No sample is in two of {listed(present)}. {_left_out(splits)}"]
    labels = samples.table["label"].to_pylist()
    in_train = {label for label, s in zip(labels, assigned, strict=True) if s == "train" and label is not None}
    if len(in_train) == len(samples.classes):
        said.append(f"All {plural(len(in_train), 'class', 'classes')} are in train.")
    crossing = {name: _crossing(samples.column(name), assigned) for name in ("group_id", "pixel_sha256")}
    if not crossing["group_id"] and len(set(samples.column("group_id"))) < len(samples):
        said.append(f"None of the {len(set(samples.column('group_id'))):,} groups is in two splits.")
    if crossing["pixel_sha256"] == 0 and any(v is not None for v in samples.column("pixel_sha256")):
        said.append("No two splits hold images with exactly equal pixels.")
    said.append("Mean and standard deviation for normalization come from train alone, or with pretrained weights.")
    return said


def _left_out(splits: Splits) -> str:
    said = ", ".join(f"{n:,} {why}" for why, n in splits.left_out.items())
    return f"{plural(splits.sizes['left_out'], 'sample')} left out: {said}."


def _crossing(values: list[Any], assigned: Names) -> int:
    """How many values occur in more than one split."""
    homes: dict[Any, set[str]] = {}
    for value, split in zip(values, assigned, strict=True):
        if value is not None and split:
            homes.setdefault(value, set()).add(split)
    return sum(len(h) > 1 for h in homes.values())


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
