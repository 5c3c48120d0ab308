"""Photographs and edits of them in one table: which edits are found, and whether anything else is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.auditing.editing import EDITS
from benchmarks.auditing.figure import SHARED, Figure, cpu_seconds
from sightline.similarity import near_pairs

SIDE = 64
AIMS = {
    "crop 80 %, centre": 0.98, "crop 80 %, random": 0.89, "crop 85 % + flip + brightness × 1.3 + JPEG 60": 0.82,
    "rotation 5°": 0.95, "rotation −8°": None, "crop 60 %, random": None, "channels exchanged": None,
}  # fmt: skip
"""Recall wanted; .99 of an edit that is not named."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shown:
    """Thumbnails in memory."""

    pictures: Array
    side: int = SIDE

    def __len__(self) -> int:
        return len(self.pictures)

    def thumbnails(self, start: int, stop: int) -> Array:
        """Pictures of rows `start` to `stop`."""
        return self.pictures[start:stop]


def figures(work: Path, is_quick: bool) -> list[Figure]:
    """Each edit searched for beside all originals, at the default threshold."""
    files = sorted((SHARED / "imagenet-originals").glob("*/*"))[:: 10 if is_quick else 1]
    originals = [Image.open(file).convert("RGB") for file in files]
    before, found, false = cpu_seconds(), [], 0
    shown = np.stack([_thumbnail(p) for p in originals])
    for number, (name, edit) in enumerate(EDITS.items()):
        edited = [_thumbnail(edit(p, np.random.default_rng([i, number]))) for i, p in enumerate(originals)]
        recall, wrong = _recall(shown, np.stack(edited))
        false += wrong
        aim = AIMS.get(name, 0.99)
        found.append(Figure(what=f"{name}: found", aim=f"≥ {aim}" if aim else "", got=f"{recall:.3f}",
                            holds=recall >= aim if aim else None))  # fmt: skip
    count = len(files)
    found.append(Figure(what=f"false pairs, {len(EDITS)} tables of {count} originals and {count} edits", aim="0",
                        got=str(false), holds=false == 0))  # fmt: skip
    return [*found, Figure(what="processor time", got=f"{(cpu_seconds() - before) / 60:.1f} min, edits included")]


def _thumbnail(picture: Image.Image) -> Array:
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))


def _recall(originals: Array, edited: Array) -> tuple[float, int]:
    """Share of the edits found with their original, and number of certain pairs of two different photographs."""
    count = len(originals)
    pairs = near_pairs(Shown(np.concatenate([originals, edited]))).certain
    is_right = pairs.first % count == pairs.second % count
    return float(is_right.sum() / count), int((~is_right).sum())
