"""The folds of a plan that a study has scored with one recipe, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.metrics import Pooled, Score, pooled
from sightline.pipeline.results import Results
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

PLACES = {"test": ("fold", "folds"), "val": ("inner_fold", "inner")}
"""By split: where a division says which fold it is, and of how many."""

FOLDS = {"test": "folds", "val": "inner folds"}
"""What they are called, by split."""

FOLLOWS = ("from", "tested", "test")
"""What differs between the folds of a plan because the fold does."""


def scored_folds(
    home: Study, checkpoint: Path, samples: SampleTable, splits: Splits, split: str
) -> tuple[Pooled, int] | None:
    """All scored folds of the present plan and of the run's recipe, and how many the plan has; None without folds.

    Folds of test go together, and so do inner folds of val, those of one fold.
    """
    place, number = PLACES[split]
    if not splits.how.get(number) or checkpoint.name != "best.pt" or checkpoint.parent.parent != home.runs_path:
        return None
    wanted, recipe = _plan(splits, place), Run.open(checkpoint).about["recipe"]
    scores: dict[int, Score] = {}
    for path in sorted(home.runs_path.glob("*/splits.parquet")):
        run = Run.open(path.parent)
        if not run.best.exists() or (run.about["recipe"], run.about["samples"]) != (recipe, samples.digest):
            continue
        then = Splits.read(path)
        score = Results(run.best).read().get(split) if _plan(then, place) == wanted else None
        if score is not None and score.predictions is not None:
            scores[int(then.how[place])] = score
    folds = {i: s.predictions for i, s in scores.items() if s.predictions is not None}
    if not folds:
        return None
    group = samples.column("group_id")
    groups = {i: [group[row] for row in samples.positions(p.ids).tolist()] for i, p in folds.items()}
    found = pooled(folds, groups)
    look = max((s.look for s in scores.values() if s.look is not None), default=None)
    total = splits.folds if split == "test" else int(splits.how[number])
    return replace(found, top1=replace(found.top1, look=look)), total


def _plan(splits: Splits, place: str) -> Mapping[str, Any]:
    """What the folds of one plan have in common."""
    return {name: value for name, value in splits.how.items() if name not in {place, *FOLLOWS}}
