"""Normalization statistics that know val or test: a mean stored to four decimals tells which images it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding
from sightline.errors import SplitError
from sightline.splits import Split, Statistics, channel_statistics

Array = np.ndarray[Any, Any]

DECIMALS = 4
"""Figures with fewer decimals fit several splits: train and train + test of CIFAR-10 differ by 3e-4 to 7e-4."""

LIKE = "per_pixel", "mean_of_per_image_std"

TOLD = {"per_pixel": "", "mean_of_per_image_std": ", its std being the mean of the images' own, not that of the pixels"}


class _Candidate(NamedTuple):
    splits: tuple[str, ...]
    kind: str
    figures: Array
    """mean and std of each channel."""


def normalization_statistics(evidence: Evidence) -> list[Finding]:
    """A finding for each contract whose mean and std are those of a set of splits that holds val or test.

    Compared with the exact statistics of every union of splits, from the integer sums of the first full read. Figures
    name a set where they agree with its statistics to their last decimal, at least four, and with no set of train
    alone; error where test is in it, warning for val. Figures of other data (ImageNet's, say) agree with none.
    """
    contracts = {name: c for name, c in evidence.contracts.items() if _decimals((*c.mean, *c.std)) >= DECIMALS}
    if not contracts:
        return []
    candidates = _candidates(evidence)
    found = []
    for name, contract in contracts.items():
        finding = _matched(name, np.array([contract.mean, contract.std]), candidates)
        if finding is not None:
            found.append(finding)
    return found


def _decimals(figures: Sequence[float]) -> int:
    """Decimals of the figures as they were written, the most that any of them has."""
    return max(len(repr(float(f)).partition(".")[2]) if "e" not in repr(float(f)) else 17 for f in figures)


def _candidates(evidence: Evidence) -> list[_Candidate]:
    present = [s for s in ("train", "val", "test") if (evidence.assigned == s).any()]
    unions = [u for size in range(1, len(present) + 1) for u in combinations(present, size)]
    found = []
    for union in unions:
        rows = np.flatnonzero(np.isin(evidence.assigned.astype(str), union))
        ids = Split("+".join(union), tuple(evidence.ids[i] for i in rows.tolist()))
        try:
            statistics = channel_statistics(evidence.samples, ids)
        except SplitError:
            continue  # none of its images could be read
        found.append(_Candidate(union, LIKE[0], np.array([statistics.mean, statistics.std])))
        found.append(_Candidate(union, LIKE[1], np.array([statistics.mean, _mean_of_stds(evidence, rows, statistics)])))
    return found


def _mean_of_stds(evidence: Evidence, rows: Array, like: Statistics) -> list[float]:
    """The mean over images of each image's own std: a smaller number that circulates under the same name."""
    table = evidence.samples.table.select(["image", "pixel_sums"]).take(rows)
    sums = table["pixel_sums"].to_pylist()
    bits = [v["bits"] for v in table["image"].to_pylist()]
    total, count = np.zeros(like.channels), 0
    for of_image, depth in zip(sums, bits, strict=True):
        if of_image is None:
            continue
        n, top = of_image["num_pixels"], 65_535 if depth == 16 else 255
        mean = np.array(of_image["sums"]) / n / top
        square = np.array(of_image["squares"], np.float64) / n / top**2
        total += np.sqrt(np.maximum(square - mean**2, 0.0))
        count += 1
    return [float(v) for v in total / max(1, count)]


def _matched(name: str, figures: Array, candidates: Sequence[_Candidate]) -> Finding | None:
    same_shape = [c for c in candidates if c.figures.shape == figures.shape]
    decimals = min(_decimals(figures.ravel().tolist()), 6)  # float32 arithmetic on the way keeps six
    allowed = 0.5 * 10.0**-decimals + 1e-6
    distances = {(c.splits, c.kind): float(np.abs(c.figures - figures).max()) for c in same_shape}
    fitting = {of: d for of, d in distances.items() if d <= allowed}
    if not fitting or any(splits == ("train",) for splits, _ in fitting):
        return None
    splits, kind = min(fitting, key=lambda of: (fitting[of], len(of[0])))
    if splits == ("val",) or "train" not in splits:
        told = f"those of {' and '.join(splits)} alone"
    else:
        told = f"those of {' and '.join(splits)} together"
    train = min((d for (s, _), d in distances.items() if s == ("train",)), default=math.inf)
    return Finding(
        level="error" if "test" in splits else "warning", subject=name, score=1.0 if "test" in splits else 0.5,
        message=f"its mean and std are {told}{TOLD[kind]}: the images that measure the model had a part in preparing "
                "its input. Take them from train: Preprocessing.from_training_split(samples, splits, size)",
        evidence=_evidence(splits, kind, fitting[splits, kind], train, decimals),
    )  # fmt: skip


def _evidence(splits: Sequence[str], kind: str, distance: float, train: float, decimals: int) -> Mapping[str, Any]:
    return {"statistics_of": list(splits), "kind": kind, "distance": round(distance, 8),
            "distance_to_train": None if math.isinf(train) else round(train, 8), "decimals": decimals}  # fmt: skip
