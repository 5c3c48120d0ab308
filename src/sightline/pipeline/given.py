"""What a person hands to an audit beside the study: embeddings, and predictions for samples not fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sightline.audits.label_quality import FEWEST
from sightline.errors import DataError
from sightline.features import read_embeddings
from sightline.features.embeddings import Embeddings
from sightline.predictions import Predictions
from sightline.samples import SampleTable
from sightline.splits import Splits


def embeddings_for(
    path: str | Path | None, samples: SampleTable, splits: Splits | None, former: Iterable[str] = ()
) -> Embeddings | None:
    """The embeddings in a file; `former` are digests of the samples before reviews, which share most labels.

    Raises DataError for those of a network that was fitted to the labels to be judged.
    """
    if path is None:
        return None
    embeddings = read_embeddings(Path(path), samples)
    fitted = embeddings.meta.get("digests", {})
    is_of_these = splits is not None and fitted.get("trained_on_splits") == splits.digest
    # Other splits of them share most labels.
    if is_of_these or fitted.get("trained_on_samples") in {samples.digest, *former}:
        raise DataError(f"{path} holds features of a network that was fitted to labels of these very samples: a wrong "
                        "label looks right to it. Give features of a network trained on other data, or leave "
                        "--embeddings out.")  # fmt: skip
    _require_enough(Path(path), embeddings, samples, splits)
    return embeddings


def _require_enough(path: Path, embeddings: Embeddings, samples: SampleTable, splits: Splits | None) -> None:
    """Raise DataError where a check of labels would look at nothing for want of features."""
    judged = samples.is_labelled
    if splits is not None:
        judged = judged & np.isin(np.array(splits.table["split"].to_pylist(), str), ["train", "val"])
    has = int((judged & np.isfinite(embeddings.values).all(1)).sum())
    if has < min(FEWEST, int(judged.sum())):
        raise DataError(f"{path} has features of {has:,} of the {int(judged.sum()):,} labelled samples of "
                        f"{samples.name} outside the test; a check needs {FEWEST} at least. Give a row for each.")


def predictions_for(
    paths: Sequence[str | Path], samples: SampleTable, splits: Splits | None, runs: Iterable[Path] = ()
) -> Predictions | None:
    """The predictions in several files as one value, log-probabilities of a sample in several of them averaged.

    `runs` are directories of runs, whose splits tell what their models were fitted to. Raises DataError for predictions
    of the sealed test, of samples that the model was fitted to, or of other classes.
    """
    if not paths:
        return None
    n, k = len(samples), len(samples.classes)
    divisions = [Splits.read(run / "splits.parquet") for run in runs if (run / "splits.parquet").exists()]
    known = {s.digest: s for s in [*divisions, *([splits] if splits is not None else [])]}
    total, times = np.zeros((n, k)), np.zeros(n, np.int64)
    for path in paths:
        read = Predictions.read(Path(path))
        if read.classes.digest != samples.classes.digest:
            raise DataError(f"{path} predicts {len(read.classes)} classes that are not those of {samples.name}. Give "
                            "predictions of a run on these samples.")  # fmt: skip
        valid = read.take(read.is_valid)
        at = samples.positions(valid.ids)
        _require_unseen(Path(path), valid, splits, known)
        total[at] += valid.log_probabilities
        times[at] += 1
    rows = np.flatnonzero(times)
    if not len(rows):
        raise DataError(f"There is no valid prediction in {', '.join(str(p) for p in paths)}.")
    return Predictions.from_logits(samples.take(rows), total[rows] / times[rows, None])


def _require_unseen(
    path: Path, predictions: Predictions, splits: Splits | None, known: Mapping[str, Splits]
) -> None:  # fmt: skip
    parts = _places(predictions, splits)
    if "test" in parts:
        raise DataError(f"{path} holds predictions of {parts.count('test'):,} samples of the sealed test. An audit "
                        "reads none of those; give predictions of val, or of inner folds.")  # fmt: skip
    fitted = _places(predictions, known.get(predictions.meta.get("digests", {}).get("trained_on_splits", "")))
    if "train" in fitted:
        raise DataError(f"{path} holds predictions of {fitted.count('train'):,} samples that the model was fitted to: "
                        "a wrong label looks right to it. Give out-of-fold predictions: sightline split STUDY --inner "
                        "5 --inner-fold I, train, and evaluate --split val, for each I.")  # fmt: skip


def _places(predictions: Predictions, splits: Splits | None) -> list[str | None]:
    """The split of each sample that was predicted; empty without splits."""
    if splits is None:
        return []
    names = dict(zip(splits.table["sample_id"].to_pylist(), splits.table["split"].to_pylist(), strict=True))
    return [names.get(i) for i in predictions.ids]
