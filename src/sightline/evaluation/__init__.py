"""From models and a split to scores; the sealed test is opened through the ledger, which counts the look first."""

from sightline.evaluation.scoring import evaluate

__all__ = ["evaluate"]
