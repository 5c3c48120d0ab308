"""The verbs applied to a study: each reads artifacts, calls the function of its name and writes what came of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from sightline.pipeline.outcome import Outcome

if TYPE_CHECKING:
    from sightline.pipeline.chain import run

__all__ = ["Outcome", "run", "verb"]

_HOME = {
    "index": "listing", "split": "splitting", "audit": "data", "datasets": "data", "check": "models", "train": "models",
    "profile": "profile", "predict": "models", "evaluate": "models", "report": "page", "run": "chain",
    "convert": "convert", "review": "review",
}  # fmt: skip


def verb(name: str) -> Callable[..., Outcome]:
    """The verb of that name. Its module loads now: those of the data layer never need torch."""
    found: Callable[..., Outcome] = getattr(import_module(f"sightline.pipeline.{_HOME[name]}"), name)
    return found


def __getattr__(name: str) -> Callable[..., Outcome]:
    if name != "run":
        raise AttributeError(f"module 'sightline.pipeline' has no attribute {name!r}")
    return verb(name)
