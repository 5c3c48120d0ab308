"""Where the model is wrong, and whether its confidence can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np

from sightline.metrics import Score
from sightline.predictions import Predictions
from sightline.reporting import figures
from sightline.reporting.pictures import Gallery
from sightline.reporting.wording import class_names, percent, plural
from sightline.samples import SampleTable

MAX_MISTAKES = 24
MAX_CONFUSIONS = 20
"""Rows of the table that takes the place of a confusion matrix too large to draw."""

MAX_CLASS_BARS = 40
"""Classes in the accuracy chart: the worst ones."""


def describe_mistakes(score: Score, predictions: Predictions, samples: SampleTable, gallery: Gallery) -> dict[str, Any]:
    """The most confident mistakes as pictures, the confusions, and the accuracy of each class, worst first."""
    names = class_names(samples.classes)
    counts = np.asarray(score.confusion, float)
    return {
        **_most_confident(predictions, samples, gallery, names),
        "confusion": figures.confusion(names, counts) if len(names) <= figures.MAX_CELLS else None,
        "confusions": _top_confusions(names, counts),
        **_class_accuracy(score, names),
        "failures": score.failures,
    }


def _most_confident(
    predictions: Predictions, samples: SampleTable, gallery: Gallery, names: list[str]
) -> dict[str, Any]:
    labels, predicted, probabilities = predictions.labels, predictions.predicted, predictions.probabilities
    wrong = np.flatnonzero(predictions.is_valid & predictions.is_labelled & (predicted != labels))
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:MAX_MISTAKES]
    ids = predictions.ids
    rows = samples.positions([ids[i] for i in worst])
    told = f"{plural(len(wrong), 'mistake')} among {plural(int(predictions.is_labelled.sum()), 'image')}."
    return {
        "mistakes": [
            {"picture": gallery.picture(int(row)), "true": names[labels[i]], "predicted": names[predicted[i]],
             "probability": float(probabilities[i, predicted[i]])}
            for i, row in zip(worst.tolist(), rows, strict=True)
        ],
        "told": told if len(worst) == len(wrong) else f"{told} The {len(worst)} most confident ones:",
    }  # fmt: skip


def _top_confusions(names: list[str], counts: figures.Array) -> list[dict[str, Any]]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:MAX_CONFUSIONS]
    total = counts.sum(1)
    return [
        {"true": names[i], "predicted": names[j], "n": f"{off[i, j]:,.4g}", "share": percent(off[i, j] / total[i])}
        for i, j in (divmod(int(k), len(names)) for k in order) if off[i, j] > 0
    ]  # fmt: skip


def _class_accuracy(score: Score, names: list[str]) -> dict[str, Any]:
    known = [(name, e) for name, e in zip(names, score.per_class, strict=True) if e.n > 0]
    known.sort(key=lambda pair: pair[1].value)
    worst = known[:MAX_CLASS_BARS]
    return {
        "per_class": known,
        "class_accuracy": figures.class_accuracy(worst, score.top1.value) if worst else None,
        "class_caption": _class_caption(len(worst), len(known), len(names)),
    }


def _class_caption(shown: int, known: int, num_classes: int) -> str:
    said = "Worst first, with 95 % intervals; the dotted line is the accuracy over all samples."
    said = f"The {shown} worst of {known:,} classes. {said}" if shown < known else said
    absent = num_classes - known
    return f"{said} {plural(absent, 'class', 'classes')} without a sample in this split." if absent else said
