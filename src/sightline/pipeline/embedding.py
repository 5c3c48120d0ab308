"""`predict --features`: a network's features of a study's samples, as a table that an audit can be given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline import inference
from sightline.digests import sha256_file
from sightline.errors import DataError
from sightline.features import write_embeddings
from sightline.inference.embedding import embed
from sightline.pipeline.data import read_hashed, read_splits
from sightline.pipeline.outcome import Outcome
from sightline.runs import checkpoint_of
from sightline.samples import SampleTable
from sightline.study import Study


def write_features(
    model: str | Path, study: str | Path, *, out: str, device: str = "auto", with_test: bool = False
) -> Outcome:
    """Penultimate features of the samples of train and val, or of all of them, written to `out` (.parquet)."""
    path, home = Path(out), Study.open(study)
    if path.suffix != ".parquet":
        raise DataError(f"Features are written as .parquet, got --out {out!r}.")
    samples = read_hashed(home)
    chosen = samples if with_test else samples.take(_unsealed(home, samples))
    embedded = embed(inference.load(checkpoint_of(model), device=device), chosen)
    write_embeddings(path, embedded.ids, embedded.values, embedded.meta)
    left = len(samples) - len(chosen)
    parts = [f"{embedded.values.shape[1]:,} features of {len(embedded.ids):,} samples"]
    parts += [f"{len(chosen) - len(embedded.ids):,} unreadable"] if len(embedded.ids) < len(chosen) else []
    parts += [f"{left:,} of test or of no split left out"] if left else []
    facts = {"samples": len(embedded.ids), "features": embedded.values.shape[1], "left_out": left}
    return Outcome(verb="predict", summary=" · ".join(parts), facts=facts, wrote=path, digest=sha256_file(path))


def _unsealed(home: Study, samples: SampleTable) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Boolean per row: in train or val; without splits, not in the official test."""
    if not home.splits_path.exists():
        return np.array([s != "test" for s in samples.column("split")], bool)
    splits = read_splits(home, samples)
    inside = np.zeros(len(samples), bool)
    inside[samples.positions([*splits.train.ids, *(splits.val.ids if splits.val is not None else ())])] = True
    return inside
