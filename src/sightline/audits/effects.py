"""The test of a shortcut that is run: edit the factor out of the pictures, and see what the trained model says then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sightline.audits.edits import EDITS, Edit, Trial
from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding
from sightline.audits.shortcuts import Shortcut, telling
from sightline.metrics.estimates import Estimate, bootstrap, percentiles, share
from sightline.predictions import Predictions

Array = np.ndarray[Any, Any]

RELIED_ON = 0.1
"""Loss of accuracy by the edit, beyond that of the class's other samples, that is an error when it is certain."""

SAID = {"error": "the model relies on it", "warning": "the model uses it", "info": "no reliance on it is shown"}

LEAST = 5
"""Samples inside and outside of a region that a comparison needs."""

FALLEN = 0.05
"""Loss of accuracy on another source that is worth a warning when it is certain."""


def shortcut_effect(evidence: Evidence) -> list[Finding]:
    """What a trained model makes of val images with a factor edited out; nothing where no model was given.

    For each shortcut found whose factor can be edited: how much more accuracy the class loses inside the region than
    outside it. That difference is what the model took from the factor, since both sides suffer the edit alike; error
    where it is surely above 0.1 (95 %, bootstrap), warning where it is surely above 0. Then a note for each edit
    (share of predictions that flip, accuracy before and after), and for each other source the accuracy on it.
    """
    trial = evidence.trial
    if trial is None:
        return []
    before = trial.predictions(None)
    after = {edit.name: trial.predictions(edit) for edit in EDITS}
    found = [f for s in telling(evidence) if s.factor.edit
             for f in _relied_on(evidence, s, trial, before, after[s.factor.edit])]  # fmt: skip
    found += [_sensitivity(edit, trial, before, after[edit.name]) for edit in EDITS]
    return found + [_elsewhere(name, trial, before, other) for name, other in trial.elsewhere().items()]


def _is_right(predictions: Predictions) -> Array:
    return np.asarray(predictions.predicted == predictions.labels)


def _relied_on(
    evidence: Evidence, found: Shortcut, trial: Trial, before: Predictions, after: Predictions
) -> list[Finding]:
    rows = evidence.samples.positions(before.ids)
    is_in = found.members[rows]
    of_class = (before.labels == found.region.label) & before.is_valid & after.is_valid
    inside, outside = np.flatnonzero(of_class & is_in), np.flatnonzero(of_class & ~is_in)
    if min(len(inside), len(outside)) < LEAST:
        return []
    lost = _is_right(before).astype(float) - _is_right(after)
    effect = _difference(lost[inside], lost[outside])
    name = evidence.samples.classes.title(found.region.label)
    edit = next(e for e in EDITS if e.name == found.factor.edit)
    level = "error" if effect.low > RELIED_ON else "warning" if effect.low > 0 else "info"
    accuracy = {place: [round(float(_is_right(p)[at].mean()), 4) for p in (before, after)]
                for place, at in (("inside", inside), ("outside", outside))}  # fmt: skip
    said = SAID[level]
    told = "; ".join(f"{100 * a:.0f} → {100 * b:.0f} % {place} the region (n = {len(at)})" for (place, (a, b)), at in
                     zip(accuracy.items(), (inside, outside), strict=True))  # fmt: skip
    return [Finding(
        level=level, subject=name, score=float(np.clip(effect.value, 0, 1)),
        message=f"{_named(found)}: with {edit.does}, {trial.name} gets {told}. "
                f"Effect {_points(effect)}: {said}.",
        evidence={"factor": found.factor.name, "edit": edit.name, "class": found.region.label,
                  "effect": effect.to_json(), "accuracy": accuracy,
                  "drawn_to_class": _drawn(found, is_in, before, after)},
    )]  # fmt: skip


def _named(found: Shortcut) -> str:
    conditions = found.region.conditions
    return str(conditions[0]) if len(conditions) == 1 else f"{found.factor.name} ({len(conditions)} conditions)"


def _drawn(found: Shortcut, is_in: Array, before: Predictions, after: Predictions) -> Mapping[str, Any]:
    """Samples of other classes in the region that are taken for the class, before the edit and after it."""
    label = found.region.label
    others = is_in & (before.labels != label) & (before.labels >= 0) & before.is_valid & after.is_valid
    return {"samples": int(others.sum()), "before": int((before.predicted[others] == label).sum()),
            "after": int((after.predicted[others] == label).sum())}  # fmt: skip


def _difference(a: Array, b: Array) -> Estimate:
    """Mean of `a` less mean of `b`, with an interval from the bootstrap over samples."""
    is_a = np.arange(len(a) + len(b)) < len(a)
    values = np.concatenate([a, b])
    sums = np.stack([values * is_a, is_a, values * ~is_a, ~is_a], axis=1).astype(float)
    # One sample more on each side, of the mean of all: five equal samples do not prove an effect without spread.
    middle = float(values.mean())

    def of(t: Array) -> Array:
        return np.asarray((t[:, 0] + middle) / (t[:, 1] + 1) - (t[:, 2] + middle) / (t[:, 3] + 1))

    low, high = percentiles(bootstrap(sums, of, np.arange(len(values))))
    return Estimate(float(a.mean() - b.mean()), low, high, len(values))


def _points(effect: Estimate) -> str:
    return f"{100 * effect.value:+.0f} points [{100 * effect.low:+.0f}, {100 * effect.high:+.0f}]"


def _sensitivity(edit: Edit, trial: Trial, before: Predictions, after: Predictions) -> Finding:
    both = before.is_valid & after.is_valid
    flips = share((before.predicted != after.predicted)[both].astype(float))
    known = both & before.is_labelled
    right = [share(_is_right(p)[known].astype(float)) for p in (before, after)]
    return Finding(
        level="info", subject=edit.name, score=float(flips.value) if flips.n else 0.0,
        message=f"{edit.does}: {flips} of {trial.name}'s predictions on val change; top-1 {100 * right[0].value:.1f} → "
                f"{100 * right[1].value:.1f} %",
        evidence={"edit": edit.name, "flips": flips.to_json(), "before": right[0].to_json(),
                  "after": right[1].to_json()},
    )  # fmt: skip


def _elsewhere(name: str, trial: Trial, here: Predictions, there: Predictions) -> Finding:
    """Accuracy on another source against val's, on the classes that both have."""
    common = np.intersect1d(here.labels[here.is_labelled], there.labels[there.is_labelled])
    given = [_is_right(p)[np.isin(p.labels, common)].astype(float) for p in (here, there)]
    at_home, away = (share(c) for c in given)
    loss = _difference(*given)
    is_certain = loss.low > 0 and loss.value >= FALLEN
    return Finding(
        level="warning" if is_certain else "info", subject=name, score=float(np.clip(loss.value, 0, 1)),
        message=f"{trial.name} is right on {at_home} of val and on {away} of {name} ({len(common)} classes in common): "
                f"{_points(loss)}. " + ("What it learnt holds for its own source." if is_certain else
                                       "No loss beyond chance."),
        evidence={"source": name, "here": at_home.to_json(), "there": away.to_json(), "loss": loss.to_json(),
                  "classes": len(common)},
    )  # fmt: skip
