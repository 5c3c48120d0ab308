"""The scores and predictions that lie beside a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sightline.artifacts import read_json, write_json
from sightline.digests import sha256_file
from sightline.metrics import Score
from sightline.predictions import Predictions


@dataclass(frozen=True)
class Results:
    """scores.json and the predictions of each split, beside the checkpoint they belong to."""

    checkpoint: Path

    def _path(self, name: str) -> Path:
        # A run's results are those of its best checkpoint; others carry the checkpoint's name.
        prefix = "" if self.checkpoint.stem == "best" else f"{self.checkpoint.stem}-"
        return self.checkpoint.with_name(prefix + name)

    @property
    def scores_path(self) -> Path:
        """scores.json."""
        return self._path("scores.json")

    def predictions_path(self, split: str) -> Path:
        """predictions-val.parquet or predictions-test.parquet."""
        return self._path(f"predictions-{split}.parquet")

    def write(self, scores: Mapping[str, Score]) -> None:
        """Write predictions first, then the scores that name their digests; scores of other splits stay."""
        digest = sha256_file(self.checkpoint)
        for split, score in scores.items():
            if score.predictions is not None:
                score.predictions.write(self.predictions_path(split))
        kept = {split: score.to_json() for split, score in self._stored(digest).items()}
        splits = {**kept, **{split: score.to_json() for split, score in scores.items()}}
        write_json(self.scores_path, {"checkpoint": digest, "splits": splits})

    def read(self) -> dict[str, Score]:
        """Scores by split, with their predictions; empty when this checkpoint was never evaluated."""
        return self._stored(sha256_file(self.checkpoint))

    def _stored(self, digest: str) -> dict[str, Score]:
        if not self.scores_path.exists():
            return {}
        stored = read_json(self.scores_path)
        if stored["checkpoint"] != digest:
            return {}  # numbers of weights that have been replaced since
        return {
            split: Score.from_json(value, Predictions.read(self.predictions_path(split)))
            for split, value in stored["splits"].items()
        }
