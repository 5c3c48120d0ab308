"""What a model must not be scored on: samples that it was fitted to, or chosen by."""

from __future__ import annotations

from collections.abc import Mapping

from sightline.errors import SplitError
from sightline.inference import Classifier
from sightline.inference.predicting import Model
from sightline.runs import Run, checkpoint_of
from sightline.samples import SampleTable
from sightline.splits import Split, Splits

LEARNT = {"test": ("train", "val"), "val": ("train",)}
"""Where a sample of a split must not have been when the model was trained."""


def require_unseen(
    model: Model, fitted: Mapping[str, str], samples: SampleTable, split: Split, then: Splits | None = None
) -> None:
    """None, or SplitError for a model whose training held samples of `split`, which is val, or the test once opened.

    The run in which a model lies keeps the splits that it was fitted to, so this is asked by sample, whatever became of
    table and splits since; `then` are those splits where they lie elsewhere. Of a model apart from its run only the
    digests `fitted` tell, and other splits of the same table are refused.
    """
    learnt = LEARNT.get(split.name, ())
    then = then or _fitted_to(model, fitted.get("trained_on_splits", ""))
    if then is not None:
        names = zip(*(then.table[name].to_pylist() for name in ("sample_id", "split")), strict=True)
        seen = len({i for i, name in names if name in learnt}.intersection(split.ids))
        if seen:
            raise SplitError(f"{seen:,} samples of {split.name} were in {' or '.join(learnt)} when {_named(model)} was "
                             f"trained, on other splits of {samples.name}: a score on them says nothing of new images. "
                             "Train on the present splits: sightline train STUDY")  # fmt: skip
    elif (split.name == "val" and split.splits and fitted.get("trained_on_samples") == samples.digest
          and fitted.get("trained_on_splits") != split.splits):  # fmt: skip
        raise SplitError(f"{_named(model)} was fitted to other splits of {samples.name}: samples of this val may have "
                         "been in its training. Evaluate a model trained on these splits: sightline train STUDY")


def _fitted_to(model: Model, digest: str) -> Splits | None:
    """The splits with this digest that lie beside the model; None where there are none."""
    if isinstance(model, Classifier):
        return None
    path = model.splits_path if isinstance(model, Run) else checkpoint_of(model).parent / "splits.parquet"
    splits = Splits.read(path) if path.exists() else None
    return splits if splits is not None and splits.digest == digest else None


def _named(model: Model) -> str:
    if isinstance(model, Classifier):
        return "this model"
    return str(model.directory if isinstance(model, Run) else model)
