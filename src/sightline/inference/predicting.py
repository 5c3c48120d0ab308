"""The verb `predict`, and `load`: from a path to a model ready to be used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import nn

from sightline import checkpoint, distributed
from sightline.artifacts import read_json
from sightline.digests import short
from sightline.errors import ContractError, DataError, LedgerError
from sightline.inference.classifier import Classifier
from sightline.predictions import Predictions
from sightline.preprocessing import Preprocessing
from sightline.runs import Run, checkpoint_of
from sightline.samples import Classes, SampleTable
from sightline.splits import SealedSplit, Split

Model = Classifier | Run | str | Path
"""A loaded model, a run (its best checkpoint is taken), or the path of a run or a checkpoint."""


FITTED = {"trained_on_samples": "samples", "trained_on_splits": "splits", "trained_without": "test"}
"""What predictions call the digests of a checkpoint: theirs are those of the samples predicted."""


def load(
    path: str | Path, *, device: str = "auto", model: nn.Module | None = None,
    preprocessing: Preprocessing | None = None,
) -> Classifier:  # fmt: skip
    """The classifier in a checkpoint file; of a run's directory, the best one. Nothing in the file is run.

    `model` is the network itself where the checkpoint cannot build it by name (it takes the stored weights).
    `preprocessing` is what the caller prepares images by: it must be the one stored with the weights. Raises
    DataError when there is no checkpoint, ContractError when network, preprocessing or classes are not its own.
    """
    file = checkpoint_of(path)
    stored = checkpoint.load(file)
    _check_contract(stored.preprocessing, file)
    if preprocessing is not None:
        stored.preprocessing.require_same(preprocessing, str(file))
    place = distributed.choose_device(device, distributed.world_of_environment().local_rank)
    fitted = {name: stored.digests[part] for name, part in FITTED.items() if part in stored.digests}
    return Classifier(
        module=stored.build(model).to(place),
        preprocessing=stored.preprocessing,
        classes=Classes(stored.preprocessing.classes, stored.class_names, "file"),
        device=place,
        digests={"weights": stored.weights_digest, **fitted},
    )


def predict(
    model: Model, samples: SampleTable, split: Split | SealedSplit | Iterable[bytes] | None = None, *,
    device: str = "auto", batch_size: int | None = None,
) -> Predictions:  # fmt: skip
    """Predictions for the samples of a split, for those with the given ids, or for all; in the order of the table.

    The sealed test is not for `predict`: raises LedgerError for it, and for a whole table with an official labelled
    test. `evaluate` opens it, and counts the look. Raises ContractError when the classes are not the model's.
    """
    if isinstance(split, SealedSplit):
        raise LedgerError(f"The {split.name} split is sealed: its predictions are a look that has to be counted. "
                          "Score it with sl.evaluate(model, samples, splits.test, ledger=…), or predict splits.val.")
    return as_classifier(model, device).predict(_chosen(samples, split), batch_size=batch_size)


def as_classifier(model: Model, device: str) -> Classifier:
    """A loaded model, whatever names it."""
    if isinstance(model, Classifier):
        return model
    return load(model.best if isinstance(model, Run) else model, device=device)


def _chosen(samples: SampleTable, split: Split | Iterable[bytes] | None) -> SampleTable:
    if split is None:
        official = np.array([s == "test" for s in samples.column("split")]) & samples.is_labelled
        if official.any():
            raise LedgerError(f"{samples.name} has an official test of {int(official.sum()):,} labelled samples: "
                              "predicting all would look at it uncounted. Give a split, such as splits.val.")
        return samples
    positions = np.sort(samples.positions(split.ids if isinstance(split, Split) else split))
    if not len(positions):
        raise DataError(f"There is no sample of {samples.name} to predict: the split is empty.")
    return samples.take(positions)


def _check_contract(stored: Preprocessing, file: Path) -> None:
    """The run beside a checkpoint says which contract it was trained with; the weights must carry the same."""
    about = file.parent / "run.json"
    if not about.exists():
        return
    wanted = read_json(about).get("preprocessing")
    if wanted is not None and wanted != stored.digest:
        raise ContractError(f"{file} carries the preprocessing {short(stored.digest)}, its run was trained with "
                            f"{short(wanted)}: one of the two files was replaced. Restore it, or train again.")
