"""Near duplicates of CIFAR-10's test in its train, against what people judged, and what looking for them costs."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

import sightline as sl
from benchmarks.auditing.figure import SHARED, Figure, cpu_seconds, peak_bytes
from sightline.inspection import inspect
from sightline.similarity import CERTAIN, NearPairs, near_pairs

TRUTH = SHARED / "cifar10" / "ground_truth" / "near_duplicates_even_test_ids.csv"
TRAIN = 50_000
SPLITS = 20
TARGET = 0.95
"""Precision aimed at on the half of the ids on which a threshold is chosen."""

SAME, SIMILAR = 1, 2
"""Judgments: the same photograph; very similar."""

Array = np.ndarray[Any, Any]


def figures(work: Path, is_quick: bool) -> list[Figure]:
    """Cost of the whole, then precision and recall at held-out thresholds and at the default one."""
    samples = sl.index(str(SHARED / "cifar10"), limit=0.05 if is_quick else None)
    started, before = time.perf_counter(), cpu_seconds()
    pairs = near_pairs(inspect(samples))
    cpu, wall = cpu_seconds() - before, time.perf_counter() - started
    found = [
        Figure(what=f"{len(samples):,} CIFAR-10 images inspected and searched for near duplicates", aim="≤ 12 CPU min",
               got=f"{cpu / 60:.1f} CPU min ({wall / 60:.1f} min on the clock)", holds=cpu <= 720),
        Figure(what="memory at most", got=f"{peak_bytes() / 1e9:.2f} GB"),
    ]  # fmt: skip
    return found if is_quick else [*found, *_precision_and_recall(best_of_each(pairs))]


def best_of_each(pairs: NearPairs) -> Array:
    """For each test image the highest score of its pairs with train, float32 [10,000]; 0 where it has none."""
    crosses = (pairs.first < TRAIN) & (pairs.second >= TRAIN)
    best = np.zeros(10_000, np.float32)
    np.maximum.at(best, pairs.second[crosses] - TRAIN, pairs.score[crosses])
    return best


def _precision_and_recall(best: Array) -> list[Figure]:
    with TRUTH.open() as file:
        rows = [(int(r["TestID"]), int(r["Judgment"]), r["Source"] == "cifair") for r in csv.DictReader(file)]
    ids = np.arange(0, 10_000, 2)
    is_copy = np.isin(ids, [i for i, judgment, _ in rows if judgment == SAME])
    is_published = np.isin(ids, [i for i, judgment, published in rows if judgment == SAME and published])
    is_similar = np.isin(ids, [i for i, judgment, _ in rows if judgment == SIMILAR]) & ~is_copy
    found = []
    for title, kept, aims in (
        ("very similar left out", ~is_similar, (0.94, 0.82)), ("very similar counted as false", ids >= 0, (0.78, 0.55))
    ):  # fmt: skip
        precision, published, pooled = held_out(best[ids], is_copy, is_published, kept)
        got = f"precision {precision:.3f}, recall of the published {published:.3f}, of the pool {pooled:.3f}"
        holds = precision >= 0.94 and published >= aims[0] and pooled >= aims[1]
        found.append(Figure(what=f"threshold of one half of the ids read on the other, {SPLITS} times; {title}",
                            aim=f"≥ .94, ≥ {aims[0]}, ≥ {aims[1]}", got=got, holds=holds))  # fmt: skip
        told = kept & (best[ids] >= CERTAIN)
        found.append(
            Figure(what=f"at the default threshold; {title}",
                   got=f"precision {is_copy[told].mean():.3f}, recall of the published "
                       f"{told[is_published].mean():.3f}, of the pool {told[is_copy].mean():.3f}")
        )  # fmt: skip
    return found


def held_out(score: Array, is_copy: Array, is_published: Array, kept: Array) -> tuple[float, float, float]:
    """Mean precision, recall of the published and of the pool, over random halves of the ids.

    The threshold is the lowest whose precision on one half reaches TARGET; the figures are those of the other half.
    """
    generator, read = np.random.default_rng(0), []
    for _ in range(SPLITS):
        is_chosen = np.zeros(len(score), bool)
        is_chosen[generator.permutation(len(score))[: len(score) // 2]] = True
        one, other = is_chosen & kept, ~is_chosen & kept
        order = np.argsort(-score[one], kind="stable")
        precision = np.cumsum(is_copy[one][order]) / np.arange(1, len(order) + 1)
        good = np.flatnonzero((precision >= TARGET) & (score[one][order] > 0))
        threshold = score[one][order][good[-1]] if len(good) else np.inf
        told = other & (score >= threshold)
        read.append((is_copy[told].mean() if told.any() else 0.0, told[is_published & other].mean(),
                     told[is_copy & other].mean()))  # fmt: skip
    precision, published, pooled = np.mean(read, 0)
    return float(precision), float(published), float(pooled)
