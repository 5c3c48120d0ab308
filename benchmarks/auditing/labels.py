"""Label errors: how well the queue is ranked, against labels that are known to be wrong.

    python -m benchmarks.auditing.labels [--labels NOISY.npy ...] [--limit N]

Each file holds a label for every training image of CIFAR-10 in the original order; a label is wrong where it differs
from the original. Nothing of the truth is used before the figures.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

import sightline as sl
from sightline.audits.evidence import Evidence
from sightline.audits.label_quality import LabelQuality, label_quality
from sightline.samples import SampleTable

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
GIVEN = DATA / "cifar10" / "ground_truth" / "cifar10n_random_label1.npy"


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What the queue is worth on one set of labels."""

    labels: str
    wrong: float
    """Share of labels that are wrong."""
    auroc: float
    average_precision: float
    precision_at_1000: float
    estimated: float
    """Share that the audit estimates, knowing nothing."""
    agreement: float
    regularization: float
    cpu_s: float
    """Process CPU seconds after features and near copies."""


def ranked(evidence: Evidence, noisy: np.ndarray, name: str) -> Ranking:
    """The figures of one set of labels; `evidence` holds features and near copies already."""
    truth = np.array(evidence.labels)
    table = evidence.samples.table
    at = table.schema.get_field_index("label")
    other = replace(evidence.samples, table=table.set_column(at, table.schema.field(at), pa.array(noisy, pa.int32())))
    judged = replace(evidence, samples=other)
    judged.__dict__.update({k: evidence.__dict__[k] for k in ("features", "near_pairs", "inspection")
                            if k in evidence.__dict__})  # fmt: skip
    before = time.process_time()
    quality = label_quality(judged)
    spent = time.process_time() - before
    assert quality is not None
    return figures(quality, truth[quality.rows] != quality.labels, name, spent)


def figures(quality: LabelQuality, is_wrong: np.ndarray, name: str, spent: float) -> Ranking:
    """How well `quality.doubt` finds `is_wrong`."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    first = np.argsort(-quality.doubt, kind="stable")[:1000]
    return Ranking(
        labels=name, wrong=float(is_wrong.mean()), auroc=float(roc_auc_score(is_wrong, quality.doubt)),
        average_precision=float(average_precision_score(is_wrong, quality.doubt)),
        precision_at_1000=float(is_wrong[first].mean()), estimated=quality.joint.num_errors / len(is_wrong),
        agreement=quality.agreement, regularization=quality.regularization, cpu_s=spent,
    )  # fmt: skip


def cifar_train(limit: int | None = None) -> SampleTable:
    """The training images of CIFAR-10 in the original order."""
    samples = sl.index(str(DATA / "cifar10" / "plain_text"))
    train = np.flatnonzero(np.array([s == "train" for s in samples.column("split")]))
    return samples.take(train[:limit])


def main() -> None:
    """Print a line for each set of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", nargs="*", type=Path, default=[GIVEN])
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    evidence = Evidence(cifar_train(options.limit).hashed(), None)
    before = time.process_time()
    _ = evidence.inspection
    print(f"inspection {time.process_time() - before:.0f} cpu-s", flush=True)
    for name in ("features", "near_pairs"):
        before = time.process_time()
        getattr(evidence, name)
        print(f"{name} {time.process_time() - before:.0f} cpu-s", flush=True)
    for path in options.labels:
        noisy = np.load(path, allow_pickle=False)[: len(evidence.samples)]
        print(ranked(evidence, noisy, path.stem), flush=True)


if __name__ == "__main__":
    main()
