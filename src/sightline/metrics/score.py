"""A score: every metric of one model on one split, and what ties the numbers to where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sightline.metrics.class_order import mistaken_order
from sightline.metrics.estimates import Estimate
from sightline.metrics.measures import confusion, ece, nll, per_class, top1, top5
from sightline.predictions import INVALID, UNREADABLE, Predictions
from sightline.samples import Classes

if TYPE_CHECKING:
    import pandas as pd

ESTIMATES = {"top1": "%", "top5": "%", "nll": "nat", "ece": "%", "without_leaks": "%"}
"""The fields that hold one estimate, with its unit."""

Array = np.ndarray[Any, Any]


class Failure(NamedTuple):
    """A sample that got no prediction."""

    key: str
    status: str
    """`unreadable`: the image could not be read; `invalid`: a logit is not finite."""
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Score:
    """The metrics of one model on one split."""

    split: str
    n: int
    """Labelled samples scored, the unreadable and invalid ones included."""
    top1: Estimate
    top5: Estimate | None
    """None with five classes or fewer."""
    nll: Estimate
    ece: Estimate
    per_class: tuple[Estimate, ...]
    """By class id; n = 0 for a class without samples."""
    confusion: Array
    """(num_classes, num_classes): rows are true classes, columns predicted ones."""
    classes: Classes
    failures: tuple[Failure, ...] = ()
    """The labelled samples without a prediction; each counts as wrong."""
    unlabelled: int = 0
    """Samples without a label, which no metric counts."""
    look: int | None = None
    """Which look at the test split this is; None off the test split."""
    without_leaks: Estimate | None = None
    """Top-1 without the samples that the audit found in train as well; None when it found none or was not asked."""
    mistaken_order: str = ""
    """What speaks for outputs in another order than the classes; empty where nothing does."""
    corrected: str = ""
    """What reviews did to the samples of this split before it was scored; empty where nothing was done."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """What the numbers depend on: samples, split, preprocessing, weights, predictions."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Versions and numerical settings under which the logits were computed."""
    predictions: Predictions | None = field(default=None, repr=False)
    """The logits; kept in memory, stored in a file of their own."""

    @property
    def unreadable(self) -> int:
        """Number of labelled samples that could not be read."""
        return sum(f.status == UNREADABLE for f in self.failures)

    @property
    def invalid(self) -> int:
        """Number of labelled samples with a logit that is not finite."""
        return sum(f.status == INVALID for f in self.failures)

    def __str__(self) -> str:
        clean = ""
        if self.without_leaks is not None:
            clean = f" · without leaks {replace(self.without_leaks, look=None)}"
        selected = " · selected on val" if self.split == "val" else ""
        origin = selected if self.look is None else f" · look {self.look}"
        beware = f" · {self.mistaken_order}" if self.mistaken_order else ""
        beware += f" · {self.corrected}" if self.corrected else ""
        return f"{self.split} top-1 {replace(self.top1, look=None)}{origin}{clean}{beware}"

    def _repr_html_(self) -> str:
        rows = [(name, getattr(self, name)) for name in ESTIMATES]
        body = "".join(f"<tr><th>{name}<td>{escape(str(e))}</tr>" for name, e in rows if e is not None)
        return f"<p>{escape(str(self))}</p><table>{body}</table>"

    def to_json(self) -> dict[str, Any]:
        """Every field but the predictions; the confusion matrix as [true, predicted, count] of its non-zero cells."""
        cells = np.argwhere(self.confusion)
        return {
            "split": self.split,
            "n": self.n,
            **{name: None if (e := getattr(self, name)) is None else e.to_json() for name in ESTIMATES},
            "look": self.look,
            "per_class": [e.to_json() for e in self.per_class],
            "confusion": [[int(i), int(j), float(self.confusion[i, j])] for i, j in cells],
            "classes": asdict(self.classes),
            "unreadable": self.unreadable,
            "invalid": self.invalid,
            "failures": [f._asdict() for f in self.failures],
            "unlabelled": self.unlabelled,
            "mistaken_order": self.mistaken_order,
            "corrected": self.corrected,
            "digests": dict(self.digests),
            "environment": dict(self.environment),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], predictions: Predictions | None = None) -> Score:
        """The score that `to_json` wrote."""
        look, c = value["look"], value["classes"]
        classes = Classes(tuple(c["ids"]), tuple(c["names"]), c["policy"])
        matrix = np.zeros((len(classes), len(classes)))
        for i, j, count in value["confusion"]:
            matrix[i, j] = count
        estimates: dict[str, Any] = {
            name: None if value[name] is None else Estimate.from_json(value[name], unit=unit, look=look)
            for name, unit in ESTIMATES.items()
        }
        return cls(
            **{name: value[name] for name in ("split", "n", "look", "unlabelled", "digests", "environment")},
            **estimates,
            per_class=tuple(Estimate.from_json(e, look=look) for e in value["per_class"]),
            confusion=matrix,
            classes=classes,
            failures=tuple(Failure(**f) for f in value["failures"]),
            predictions=predictions,
            mistaken_order=value.get("mistaken_order", ""),
            corrected=value.get("corrected", ""),
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row a metric, then one a class: metric, class, value, low, high, n, groups."""
        import pandas as pd

        named: list[tuple[str, str | None, Estimate | None]] = [(m, None, getattr(self, m)) for m in ESTIMATES]
        named += [("accuracy", self.classes.title(i), e) for i, e in enumerate(self.per_class)]
        return pd.DataFrame([
            {"metric": m, "class": c, "value": e.value, "low": e.low, "high": e.high, "n": e.n, "groups": e.groups}
            for m, c, e in named if e is not None
        ])  # fmt: skip


def score(
    predictions: Predictions,
    split: str,
    *,
    groups: Sequence[Any] | None = None,
    leaked: Iterable[bytes] = (),
    look: int | None = None,
    digests: Mapping[str, str] | None = None,
) -> Score:
    """The score of predictions, from the labelled ones among them.

    `groups` names the group of each row; `leaked` are ids of samples that train holds too. Raises DataError when no
    sample has a label.
    """
    made, rows = predictions.meta, (predictions, groups)
    return Score(
        split=split,
        n=int(predictions.is_labelled.sum()),
        top1=replace(top1(*rows), look=look),
        top5=_seen(top5(*rows), look),
        nll=replace(nll(*rows), look=look),
        ece=replace(ece(*rows), look=look),
        per_class=tuple(replace(e, look=look) for e in per_class(*rows)),
        confusion=confusion(predictions),
        classes=predictions.classes,
        failures=_failures(predictions),
        unlabelled=int((~predictions.is_labelled).sum()),
        look=look,
        without_leaks=_seen(_without(predictions, groups, leaked), look),
        mistaken_order=str(mistaken_order(predictions) or ""),
        digests={**made.get("digests", {}), **(digests or {}), "predictions": predictions.digest},
        environment=made.get("environment", {}),
        predictions=predictions,
    )


def _seen(estimate: Estimate | None, look: int | None) -> Estimate | None:
    return None if estimate is None else replace(estimate, look=look)


def _failures(predictions: Predictions) -> tuple[Failure, ...]:
    failed = predictions.take(~predictions.is_valid & predictions.is_labelled).table
    return tuple(Failure(r["key"], r["status"], r["reason"] or "") for r in failed.to_pylist())


def _without(predictions: Predictions, groups: Sequence[Any] | None, leaked: Iterable[bytes]) -> Estimate | None:
    left_out = {bytes(i) for i in leaked}
    keep = np.array([i not in left_out for i in predictions.ids], bool)
    if keep.all() or not (keep & predictions.is_labelled).any():
        return None
    return top1(predictions.take(keep), None if groups is None else [groups[i] for i in np.flatnonzero(keep).tolist()])
