"""The source's own splits: which of them is sealed, which is for choosing, and what has to be carved from train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.own import hold_out
from sightline.splits.parts import TEST, TRAIN, VAL, Parts
from sightline.splits.request import OFFICIAL, Request

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Roles:
    """What an official split is used for: official name → train, val or test."""

    of: dict[str, str]
    carves_val: bool
    """val is taken from the official train."""


def has_official(samples: SampleTable) -> bool:
    """Whether the source sets samples aside for val or test."""
    return bool({VAL, TEST} & set(samples.column("split")))


def divide_officially(samples: SampleTable, request: Request) -> Parts:
    """Parts by the source's own splits; a sample in none of them is in none.

    An official test without labels is none; then the official val becomes the test, unless the request keeps it.
    """
    official = np.array(samples.column("split"), object)
    roles = _roles(samples, set(official.tolist()), request)
    names = np.array([roles.of.get(o) for o in official.tolist()], object)
    parts = Parts(names, np.array([f"official {o}" for o in official.tolist()], object))
    parts = parts.leave_out(np.array([n is None for n in names], bool), "in no official split")
    if roles.carves_val and (request.val_share > 0 or request.inner):
        parts = carve_val(samples, request, parts)
    tested = next((o for o, role in roles.of.items() if role == TEST), None)
    val = request.val_share if roles.carves_val else OFFICIAL if VAL in names else 0.0
    return Parts(parts.names, parts.reasons, {"val": val, "test": None if tested is None else f"official {tested}"})


def carve_val(samples: SampleTable, request: Request, parts: Parts) -> Parts:
    """Parts with val taken from their train, by class, units whole."""
    rows = np.flatnonzero(parts.names == TRAIN)
    held = hold_out(samples.take(rows), request, len(rows))
    told = [f"{a}, {b}" if request.inner or name == VAL else a
            for a, b, name in zip(parts.reasons[rows], held.reasons, held.names, strict=True)]  # fmt: skip
    return parts.put(rows, Parts(held.names, np.array(told, object)))


def _roles(samples: SampleTable, present: set[Any], request: Request) -> Roles:
    name = samples.name
    if not {VAL, TEST} & present:
        raise SplitError(f"{name} has no official val or test with labels. Split it: --by stratified, group or hash.")
    if request.test is not None:
        raise SplitError(f"{name} has official splits, so a share for test ({request.test}) has no effect. Leave it "
                         "out, or split anew with --by stratified.")  # fmt: skip
    wants_official = request.val == OFFICIAL
    if wants_official and VAL not in present:
        raise SplitError(f"{name} has no official val. Give a share of train instead: --val 0.1")
    if TEST in present or wants_official:
        kept = {s: s for s in (TRAIN, VAL, TEST) if s in present}
        roles = Roles(kept, carves_val=VAL not in present and TRAIN in present)
    else:
        roles = Roles({TRAIN: TRAIN, VAL: TEST} if TRAIN in present else {VAL: TEST}, carves_val=TRAIN in present)
    asked = f"a share for val ({request.val})" if isinstance(request.val, int | float) else (
        f"inner folds ({request.inner})" if request.inner else "")  # fmt: skip
    if asked and not roles.carves_val:
        why = "an official val" if TRAIN in present else "no official train to take it from"
        raise SplitError(f"{name} has {why}, so {asked} for choosing has no effect. Leave it out, or split anew with "
                         "--by stratified.")  # fmt: skip
    return roles
