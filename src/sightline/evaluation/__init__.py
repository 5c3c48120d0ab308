"""From models and a split to scores; the sealed test is opened through the ledger, which counts the look first."""

from sightline.evaluation.scoring import evaluate
from sightline.evaluation.unchanged import require_unchanged
from sightline.evaluation.unseen import require_unseen

__all__ = ["evaluate", "require_unchanged", "require_unseen"]
