"""The honest data layer for image classification: from a folder of images to a number you can trust.

The verbs are functions here, with the values they exchange. Names load when they are first used, so that
`import sightline` costs a few milliseconds and torch is imported by those who train, predict or load images with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline import augmentation, metrics, recipes
    from sightline.audits import Findings, audit
    from sightline.bridges import from_huggingface, from_torch, to_huggingface
    from sightline.catalog import Card, datasets
    from sightline.catalog.further_labels import with_labels
    from sightline.checklist import Checklist
    from sightline.checks import check
    from sightline.conversion import Conversion, convert
    from sightline.errors import SightlineError
    from sightline.evaluation import evaluate
    from sightline.indexing import index
    from sightline.inference import Classifier, load, predict
    from sightline.inspection import Inspection, inspect
    from sightline.ledger import Ledger
    from sightline.loading import Loader, adapters
    from sightline.loading.profile import profile
    from sightline.loading.showing import show
    from sightline.metrics import Estimate, Score
    from sightline.pipeline import run
    from sightline.predictions import Predictions
    from sightline.preprocessing import Preprocessing
    from sightline.recipes import Recipe
    from sightline.reporting import report
    from sightline.reviewing import review
    from sightline.runs import Run
    from sightline.samples import Classes, SampleTable
    from sightline.splits import Splits, split
    from sightline.study import Study
    from sightline.training import train

__all__ = [
    # the verbs
    "index", "split", "audit", "check", "profile", "train", "predict", "evaluate", "report", "run", "datasets",
    "convert", "review",
    # what they exchange
    "SampleTable", "Classes", "Splits", "Findings", "Preprocessing", "Recipe", "Checklist", "Run", "Predictions",
    "Score", "Estimate", "Ledger", "Study", "Card", "Conversion", "SightlineError",
    # other libraries' datasets
    "from_huggingface", "to_huggingface", "from_torch",
    # what others say of the samples
    "with_labels",
    # one piece at a time
    "load", "Classifier", "Loader", "show", "inspect", "Inspection", "adapters", "augmentation", "metrics", "recipes",
]  # fmt: skip

_HOME = {
    "index": "indexing", "split": "splits", "audit": "audits", "check": "checks", "train": "training",
    "predict": "inference", "evaluate": "evaluation", "report": "reporting", "run": "pipeline", "datasets": "catalog",
    "review": "reviewing",
    "SampleTable": "samples", "Classes": "samples", "Splits": "splits", "Findings": "audits",
    "Preprocessing": "preprocessing", "Recipe": "recipes", "Checklist": "checklist", "Run": "runs",
    "Predictions": "predictions", "Score": "metrics", "Estimate": "metrics", "Ledger": "ledger", "Study": "study",
    "Card": "catalog", "SightlineError": "errors", "load": "inference", "Classifier": "inference", "Loader": "loading",
    "show": "loading.showing", "profile": "loading.profile", "adapters": "loading",
    "convert": "conversion", "Conversion": "conversion",
    "from_huggingface": "bridges", "to_huggingface": "bridges", "from_torch": "bridges",
    "with_labels": "catalog.further_labels", "inspect": "inspection", "Inspection": "inspection",
}  # fmt: skip
"""Public name → the module it lives in; names that are not here are modules themselves."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'sightline' has no attribute {name!r}")
    try:
        module = import_module(f"sightline.{_HOME.get(name, name)}")
    except ModuleNotFoundError as e:
        raise _missing_extra(e, f"sightline.{name}") from e
    value = getattr(module, name) if name in _HOME else module
    globals()[name] = value
    return value


def _missing_extra(error: ModuleNotFoundError, purpose: str) -> Exception:
    from sightline.errors import extra_needed

    return extra_needed(error, purpose) or error


def __dir__() -> list[str]:
    return sorted(__all__)
