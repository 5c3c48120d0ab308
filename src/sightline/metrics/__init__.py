"""Metrics: pure functions of `Predictions` that return `Estimate(value, low, high, n)`. Needs no torch."""

from sightline.metrics.estimates import Estimate, wilson
from sightline.metrics.folds import Pooled, pooled
from sightline.metrics.measures import calibration, confusion, credit, ece, nll, per_class, top1, top5, topk
from sightline.metrics.score import Score, score

__all__ = [
    "Estimate",
    "Pooled",
    "Score",
    "calibration",
    "confusion",
    "credit",
    "ece",
    "nll",
    "per_class",
    "pooled",
    "score",
    "top1",
    "top5",
    "topk",
    "wilson",
]
