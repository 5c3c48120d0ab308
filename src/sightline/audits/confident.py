"""How many labels are wrong, and between which classes: estimates from probabilities that did not see the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.metrics import wilson

Array = np.ndarray[Any, Any]

SURE = 0.1
"""The share of each predicted class that is surest; an honest judge of clean labels agrees with nearly all of it."""

FEWEST = 100
"""Samples that are taken for the surest at least, in equal numbers of each predicted class: few hold no error."""

FLAT = 1.25
"""Where all disagree no more than this times as often as the surest, the judge makes hardly any mistakes of its own."""

SKILL = 1 / 3
"""Cohen's kappa with the labels, below which a judge's mistakes are the same where it is sure and where it is not: of
10 classes that overlap it said that 29 % of 1,000 right labels are wrong at least, with a kappa of 0.21."""

Z = 1.645
"""95 % quantile of the normal distribution: the lower end of an interval that errs once in 20 times."""

_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class Joint:
    """Estimated numbers of samples by given and by likely class."""

    counts: Array
    """int64 (classes, classes): row = given label, column = likely true class; the rows add up to the given counts."""
    sure: float
    """Share of disagreement among the surest tenth of each predicted class: what errors are left where the judge makes
    hardly any of its own."""
    unexplained: float
    """Share of wrong labels that the judge's own mistakes do not explain, but for one time in 20; 0 for a judge that
    hardly knows the classes."""

    @property
    def num_confident(self) -> int:
        """Samples off the diagonal: wrong labels, and the judge's own confident mistakes."""
        return int(self.counts.sum() - np.trace(self.counts))

    @property
    def num_errors(self) -> int:
        """Estimated wrong labels: the smaller of the confident joint's and the surest tenth's.

        Of 10,000 images of CIFAR-10 by random-patch features: 4 % with the published labels and 16 % where 18 % are
        wrong; the confident joint alone says 21 % and 32 %.
        """
        return min(self.num_confident, round(self.sure * int(self.counts.sum())))

    @property
    def at_least(self) -> float:
        """Share of wrong labels that there is whatever the judge's own mistakes are, of the errors estimated."""
        return min(self.unexplained, self.num_errors / max(1, int(self.counts.sum())))

    def pairs(self, at_least: int = 2) -> list[tuple[int, int, int]]:
        """(given, likely, number) of the confused classes, the most frequent first."""
        off = self.counts - np.diag(np.diag(self.counts))
        given, likely = np.nonzero(off >= at_least)
        order = np.lexsort((likely, given, -off[given, likely]))
        return [(int(given[i]), int(likely[i]), int(off[given[i], likely[i]])) for i in order.tolist()]


def confident_joint(log_probabilities: Array, labels: Array) -> Joint:
    """The joint of given and likely labels (Northcutt, Jiang and Chuang 2021, "Confident learning").

    `log_probabilities` (n, classes) are held out. A sample counts for the class, if any, whose probability is not below
    the mean probability that the samples given this class have for it; of several, for the most probable.
    """
    size = log_probabilities.shape[1]
    given = np.exp(log_probabilities[np.arange(len(labels)), labels].astype(np.float64))
    of_class = np.bincount(labels, minlength=size)
    threshold = np.full(size, np.inf)
    is_there = of_class > 0
    threshold[is_there] = np.bincount(labels, given, size)[is_there] / of_class[is_there]
    counts = np.zeros(size * size, np.int64)
    for begin in range(0, len(labels), _BLOCK):
        block = np.exp(log_probabilities[begin : begin + _BLOCK].astype(np.float64))
        block[block < threshold - 1e-12] = -1
        likely = block.argmax(1)
        is_counted = block[np.arange(len(block)), likely] >= 0
        cell = labels[begin : begin + _BLOCK] * size + likely
        counts += np.bincount(cell[is_counted], minlength=size * size)
    table = counts.reshape(size, size)
    return Joint(_calibrated(table, of_class), *_disagreement(log_probabilities, labels))


def _calibrated(counts: Array, of_class: Array) -> Array:
    """Counts scaled to the number of samples of each given class, in whole numbers."""
    own = counts + np.diag((counts.sum(1) == 0) & (of_class > 0))  # nothing counted: take the labels as they are
    exact = own * (of_class / np.maximum(own.sum(1), 1))[:, None]
    whole = np.floor(exact).astype(np.int64)
    for row, total in enumerate(of_class.tolist()):
        rest = total - int(whole[row].sum())
        whole[row, np.argsort(whole[row] - exact[row], kind="stable")[:rest]] += 1
    return np.asarray(whole)


def _disagreement(log_probabilities: Array, labels: Array) -> tuple[float, float]:
    """Share among the surest of each predicted class, and how much of it is there for the labels' sake at least.

    The surer a judge, the fewer mistakes of its own, and only wrong labels are left in the limit. From the surest tenth
    and the one after it a line leads there. A judge that is hardly better on the surest than on all makes few anyway.
    """
    predicted = log_probabilities.argmax(1)
    disagrees = (predicted != labels) & _recognised(predicted, labels, log_probabilities.shape[1])[labels]
    order = np.lexsort((-log_probabilities.max(1), predicted))
    begins = np.searchsorted(predicted[order], np.arange(log_probabilities.shape[1] + 1))
    sizes = np.diff(begins)
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(begins[:-1], sizes)
    tenth = np.ceil(SURE * sizes)
    enough = np.maximum(tenth, np.ceil(FEWEST / max(1, int((sizes > 0).sum()))))
    first, second = (disagrees[(rank >= i * tenth[predicted]) & (rank < (i + 1) * tenth[predicted])] for i in (0, 1))
    ends = [1.5 * first.mean() - 0.5 * _share(second) - Z * np.sqrt(2.25 * _variance(first) + 0.25 * _variance(second))]
    if disagrees.mean() <= FLAT * first.mean():
        ends.append(min(wilson(float(some.sum()), len(some))[0] for some in (first, disagrees)))
    unexplained = max(0.0, float(max(ends))) if _kappa(predicted, labels) >= SKILL else 0.0
    return float(disagrees[rank < enough[predicted]].mean()), unexplained


def _recognised(predicted: Array, labels: Array, size: int) -> Array:
    """Which classes are answered more often where they are given than elsewhere, beyond chance. Who never answers a
    class (a rare one, or one that looks like another) knows nothing of its labels."""
    of_class, answered = np.bincount(labels, minlength=size), np.bincount(predicted, minlength=size)
    right = np.bincount(labels[predicted == labels], minlength=size)
    elsewhere = (answered - right) / np.maximum(len(labels) - of_class, 1)
    low = [wilson(float(k), n)[0] if n else 0.0 for k, n in zip(right.tolist(), of_class.tolist(), strict=True)]
    return np.array(low) > elsewhere


def _kappa(predicted: Array, labels: Array) -> float:
    """Agreement beyond that of answers which know how frequent classes are and nothing else, 1 for all of it."""
    shares = [np.bincount(values, minlength=int(max(labels.max(), predicted.max())) + 1) / len(labels)
              for values in (predicted, labels)]  # fmt: skip
    chance = float(shares[0] @ shares[1])
    return (float((predicted == labels).mean()) - chance) / (1 - chance) if chance < 1 else 0.0


def _share(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0


def _variance(values: Array) -> float:
    """Of a share; two imagined samples, one of each kind, keep that of few from being 0 (Agresti and Coull 1998)."""
    share = (values.sum() + 1) / (len(values) + 2)
    return float(share * (1 - share) / (len(values) + 2))
