"""How likely each label is, by judges that did not see it: ridge regression on features, and a run's predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sightline.audits.confident import Joint, confident_joint
from sightline.audits.evidence import Evidence
from sightline.audits.units import units_of
from sightline.errors import DataError
from sightline.features import Blend, Design, Projection, best_design, blend, chosen_ridge, nearest_of_class
from sightline.predictions import Predictions

Array = np.ndarray[Any, Any]

_BLOCK = 16_384

_VOTERS = 20_000
"""Samples that the weights of ridge and predictions are fitted to at most."""

FEWEST = 20
"""Samples below which nothing is said about labels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelQuality:
    """Samples whose labels were judged, and what was found about each."""

    rows: Array
    """int64 (n,): positions in the table."""
    labels: Array
    """int64 (n,): the given class ids."""
    log_probabilities: Array
    """(n, classes), float32 or, of very many, float16: from fits to all samples but those of the same unit."""
    units: Array
    """int64 (n,): samples that did not judge one another."""
    design: Design
    regularization: float
    """Lambda over the number of samples, of features with variance 1; chosen by the likelihood of the given labels."""
    blended: Blend | None
    """How ridge and predictions were put together; None without predictions."""

    @cached_property
    def given(self) -> Array:
        """float64 (n,): probability of the given label."""
        return np.exp(self.log_probabilities[np.arange(len(self.labels)), self.labels].astype(np.float64))

    @cached_property
    def suggested(self) -> Array:
        """int64 (n,): the most probable other class."""
        out = np.empty(len(self.labels), np.int64)
        for begin in range(0, len(out), _BLOCK):
            others = self.log_probabilities[begin : begin + _BLOCK].copy()
            others[np.arange(len(others)), self.labels[begin : begin + _BLOCK]] = -np.inf
            out[begin : begin + _BLOCK] = others.argmax(1)
        return out

    @cached_property
    def probability_of_suggested(self) -> Array:
        """float64 (n,): probability of the suggested class."""
        return np.exp(self.log_probabilities[np.arange(len(self.labels)), self.suggested].astype(np.float64))

    @property
    def doubt(self) -> Array:
        """float64 (n,) in 0 … 1: 1 - probability of the given label; what the queue is ranked by."""
        return np.asarray(np.clip(1 - self.given, 0, 1))

    @cached_property
    def agreement(self) -> float:
        """Share of given labels that are the most probable class."""
        return float((self.probability_of_suggested <= self.given).mean())

    @cached_property
    def joint(self) -> Joint:
        """Estimated numbers of samples by given and likely class."""
        return confident_joint(self.log_probabilities, self.labels)

    def queue(self, at_most: int) -> Array:
        """int64: samples (numbers within `rows`) to look at, the most doubtful first; only such that another class is
        more probable than the given one."""
        order = np.argsort(-self.doubt, kind="stable")
        return np.asarray(order[(self.probability_of_suggested > self.given)[order]][:at_most])

    def most_similar(self, asked: Array) -> Array:
        """int64 (k,): for samples of the queue, the one of the suggested class that looks most alike, -1 for none.

        Only samples whose own label is likely serve as examples.
        """
        labels = np.where(self.given >= self.probability_of_suggested, self.labels, -1)
        projection = Projection.of(self.design)
        return nearest_of_class(projection, asked, self.suggested[asked], labels, self.units)


def label_quality(evidence: Evidence) -> LabelQuality | None:
    """The quality of the labels of train and val, or of all labelled samples where nothing is split; None where there
    is too little to judge by.

    Test is left out: whoever corrects the labels of a test by a judge's opinion makes the test easier for all models
    that resemble the judge. Near copies, and samples of one group, never judge one another. Raises DataError for
    predictions of other classes.
    """
    rows = _judged(evidence)
    if len(rows) < FEWEST:
        return None
    labels = np.array([evidence.labels[i] for i in rows.tolist()], np.int64)
    if len(np.unique(labels)) < 2:
        return None
    num_classes = len(evidence.samples.classes)
    units = np.unique(units_of(evidence)[rows], return_inverse=True)[1].astype(np.int64)
    if units.max() == 0:
        return None
    features = evidence.features
    given = evidence.embeddings is not None
    design = Design.of(features, rows) if given else best_design(features, rows, labels, num_classes, units)
    design = design.compacted()
    ridge, scale = chosen_ridge(design, labels, num_classes, units)
    answers = ridge.held_out(labels, num_classes, units)
    logs, blended = scale.log_probabilities([answers]), None
    if evidence.predictions is not None:
        logs, blended = _multiplied(evidence, evidence.predictions, rows, labels, logs)
    return LabelQuality(rows=rows, labels=labels, log_probabilities=logs, units=units, design=design,
                        regularization=ridge.regularization, blended=blended)  # fmt: skip


def _judged(evidence: Evidence) -> Array:
    """Labelled samples with features that are not in test; those of no split only where nothing is split."""
    is_fit = np.array([v is not None for v in evidence.labels], bool) & evidence.has_features
    is_split = np.array([s is not None for s in evidence.assigned], bool)
    if is_split.any():
        is_fit &= np.array([s in ("train", "val") for s in evidence.assigned], bool)
    return np.flatnonzero(is_fit)


def _multiplied(
    evidence: Evidence, predictions: Predictions, rows: Array, labels: Array, logs: Array
) -> tuple[Array, Blend | None]:
    """Probabilities of the ridge times those of the predictions, where there are any."""
    if predictions.classes.digest != evidence.samples.classes.digest:
        raise DataError(f"The predictions are of {len(predictions.classes)} classes that are not those of "
                        f"{evidence.samples.name}. Give predictions of a run on these samples.")  # fmt: skip
    number = {evidence.ids[row]: i for i, row in enumerate(rows.tolist())}  # predictions may know of further samples
    valid = np.flatnonzero(predictions.is_valid)
    ids = predictions.ids
    at = np.array([number.get(ids[i], -1) for i in valid.tolist()], np.int64)
    valid, at = valid[at >= 0], at[at >= 0]
    if len(at) < FEWEST:
        return logs, None
    sources = [logs[at], predictions.log_probabilities[valid].astype(np.float32)]
    some = slice(None, None, -(-len(at) // _VOTERS))
    found = blend([s[some] for s in sources], labels[at][some])
    out = logs.copy()
    out[at] = found.log_probabilities(sources)
    return out, found
