"""Divisions by domain: the test is a hospital, a camera or a place that training never saw."""

from __future__ import annotations

from typing import Any

import numpy as np

from sightline.errors import SplitError, did_you_mean
from sightline.samples import SampleTable
from sightline.splits.own import hold_out
from sightline.splits.parts import TEST, TRAIN, VAL, Parts
from sightline.splits.request import Request
from sightline.splits.units import Units, group_of_kind, units_of

Array = np.ndarray[Any, Any]


def divide_by_domain(samples: SampleTable, request: Request) -> Parts:
    """Parts whose test is one domain, that of the fold, or the domains that the request names.

    Val is drawn by class from the others, or is one of them with inner folds. Groups of other kinds that reach into
    the test, and samples of no domain, are left out of train and val.
    """
    kind, units = request.domain_kind, units_of(samples, request)
    domain = group_of_kind(samples, kind)
    is_known = np.array([d is not None for d in domain.tolist()], bool)
    known = sorted(set(domain[is_known].tolist()))
    tested = _tested(samples, request, known)
    names = np.where(np.isin(domain.astype(str), tested) & is_known, TEST, TRAIN).astype(object)
    reasons = np.array([f"{kind} {d}" for d in domain.tolist()], object)
    how = {"val": request.val_share, "test": f"{kind} {', '.join(tested)}", "domain": request.domain, "tested": tested}
    if request.is_every_domain:
        how["folds"] = len(known)
    parts = _apart(Parts(names, reasons, how).leave_out(~is_known, f"of no {kind}"), units, TEST)
    rest = np.flatnonzero(parts.names == TRAIN)
    if len(rest) == 0:
        raise SplitError(f"{samples.name}: nothing is left to train on outside {kind} {', '.join(tested)}. "
                         f"Name fewer: --domain {kind}=A,B")  # fmt: skip
    if request.inner:
        return _apart(parts.put(rest, Parts(_inner(domain[rest], request), reasons[rest])), units, VAL)
    held = hold_out(samples.take(rest), request, len(samples), f"of fold {request.fold}")
    return parts.put(rest, Parts(held.names, reasons[rest]))


def _tested(samples: SampleTable, request: Request, known: list[str]) -> list[str]:
    kind = request.domain_kind
    if not request.is_every_domain:
        tested = _named(request.domain.partition("=")[2], known)
        for name in tested:
            if name not in known:
                raise SplitError(f"{samples.name} has no {kind} {name!r}.{did_you_mean(name, known)}")
        return sorted(set(tested))
    if len(known) < 2:
        raise SplitError(f"To leave out one {kind} takes two, and {samples.name} has {len(known)} ({_few(known)}). "
                         "Index sources of several together, or split by another rule: --by group")  # fmt: skip
    if request.folds not in {0, len(known)} or not 0 <= request.fold < len(known):
        raise SplitError(f"Each {kind} is a fold, and {samples.name} has {len(known)} ({_few(known)}), got folds "
                         f"{request.folds} and fold {request.fold}. Leave out folds; fold is 0 … their number - 1.")
    return [known[request.fold]]


def _named(text: str, known: list[str]) -> list[str]:
    """The names in a text with commas between them, of which a known name may have some itself ("Bern, Insel")."""
    parts, names = text.split(","), []
    while parts:
        ends = [i for i in range(len(parts), 0, -1) if ",".join(parts[:i]).strip() in known]
        end = ends[0] if ends else 1
        names.append(",".join(parts[:end]).strip())
        del parts[:end]
    return names


def _inner(domain: Array, request: Request) -> Array:
    """Train or val of samples outside the test: val is one of their domains."""
    known = sorted(set(domain.tolist()))
    if request.inner != len(known) or len(known) < 2:
        raise SplitError(f"Inner folds of a split by domain hold out one {request.domain_kind} each, of the "
                         f"{len(known)} outside the test ({_few(known)}), got inner {request.inner}.")  # fmt: skip
    return np.where(domain == known[request.inner_fold], VAL, TRAIN).astype(object)


def _apart(parts: Parts, units: Units, split: str) -> Parts:
    """Parts without the rows of lower splits that belong together with a sample of `split`."""
    reaches = np.zeros(len(units), bool)
    reaches[units.of[parts.names == split]] = True
    lower = (TRAIN, VAL) if split == TEST else (TRAIN,)
    return parts.leave_out(reaches[units.of] & np.isin(parts.names.astype(str), lower), f"its group is in {split}")


def _few(names: list[str]) -> str:
    return f"{', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
