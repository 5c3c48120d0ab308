"""Label errors: how well the queue is ranked, against labels of CIFAR-10N that are known to be wrong.

Every file `cifar10n_*.npy` beside the data is a set of labels: one for every training image of CIFAR-10 in the original
order, wrong where it differs from the original. The truth is used for the figures alone. Near copies are those that the
audit finds. Beside it labels of other data, some of them made wrong here, in sets of a size that people have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

import sightline as sl
from benchmarks.auditing.figure import SHARED, Figure, cpu_seconds
from sightline.audits.evidence import Evidence
from sightline.audits.label_quality import LabelQuality, label_quality
from sightline.samples import SampleTable

AIMS = {"random": 0.895, "aggre": 0.88, "worse": 0.88}
"""Area under the ROC curve to reach, by what the name of the set of labels begins with."""

CPU_S = 180.0

OTHERS = {"mnist": (500, 6000), "imagenette": (300, 1500)}
"""Images of other data, drawn at random from train."""

PLANTED = {"as they are": (0.0, False), "5 % wrong": (0.05, False), "20 % wrong": (0.2, False),
           "40 % of every other class called the next": (0.4, True)}  # fmt: skip
"""Share of labels that are made wrong, and whether by pairs of classes."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What the queue is worth on one set of labels."""

    wrong: float
    """Share of labels that are wrong."""
    auroc: float
    average_precision: float
    precision_at_1000: float
    estimated: float
    """Share that the audit estimates, knowing nothing."""
    at_least: float
    """Share that it takes for wrong whatever the judge's own mistakes are; what it warns of."""
    regularization: float
    cpu_s: float
    """Processor time after features and near copies."""


def figures(work: Path, is_quick: bool) -> list[Figure]:
    """A line for the cost of features, and three for each set of labels."""
    del work
    limit = 3000 if is_quick else None
    evidence = Evidence(cifar_train(limit).hashed(), None)
    found = []
    for name, what in (("inspection", "first full read and inspection"), ("features", "random-patch features"),
                       ("near_pairs", "near duplicates among them")):  # fmt: skip
        before = cpu_seconds()
        getattr(evidence, name)
        found.append(Figure(what=f"{what}, {len(evidence.samples):,} images", got=f"{cpu_seconds() - before:.0f} s"))
    for path in sorted((SHARED / "cifar10" / "ground_truth").glob("cifar10n_*.npy")):
        noisy = np.load(path, allow_pickle=False)[:limit]
        name = path.stem.removeprefix("cifar10n_")
        aim = None if is_quick else next((a for kind, a in AIMS.items() if name.startswith(kind)), None)
        found += _lines(name, ranked(evidence, noisy), aim)
    for name, sizes in OTHERS.items():
        for size in sizes[:1] if is_quick else sizes:
            found += _planted(name, size)
    return found


def _planted(name: str, size: int) -> list[Figure]:
    """A line for each way to make labels of some other images wrong."""
    samples = sl.index(str(SHARED / name))
    rng = np.random.default_rng(0)
    train = np.flatnonzero(np.array([s == "train" for s in samples.column("split")]))
    evidence = Evidence(samples.take(np.sort(rng.choice(train, size, replace=False))).hashed(), None)
    truth, k, found = np.array(evidence.labels), len(samples.classes), []
    for what, (share, is_paired) in PLANTED.items():
        is_hit = (rng.random(size) < share) & ((truth % 2 == 0) | (not is_paired))
        noisy = np.where(is_hit, (truth + (1 if is_paired else rng.integers(1, k, size))) % k, truth)
        ranking = ranked(evidence, noisy)
        got = f"estimated {100 * ranking.estimated:.1f} %, at least {100 * ranking.at_least:.1f} %"
        if ranking.wrong:
            got = f"AUROC {ranking.auroc:.3f}, {got}"
        found.append(Figure(what=f"{name}, {size:,} images, labels {what}", got=got,
                            aim=f"{100 * ranking.wrong:.1f} % are wrong"))  # fmt: skip
    return found


def _lines(name: str, ranking: Ranking, aim: float | None) -> list[Figure]:
    more = (f"average precision {ranking.average_precision:.3f}, precision of the first 1000 "
            f"{ranking.precision_at_1000:.3f}")  # fmt: skip
    return [
        Figure(what=f"{name}: AUROC", aim="" if aim is None else f">= {aim}",
               got=f"{ranking.auroc:.4f} ({more})", holds=None if aim is None else ranking.auroc >= aim),
        Figure(what=f"{name}: estimated share of wrong labels", aim=f"{100 * ranking.wrong:.1f} % are",
               got=f"{100 * ranking.estimated:.1f} %"),
        Figure(what=f"{name}: after features and near copies", aim=f"<= {CPU_S:.0f} s",
               got=f"{ranking.cpu_s:.0f} s, regularization {ranking.regularization:.3g} n chosen without the truth",
               holds=ranking.cpu_s <= CPU_S),
    ]  # fmt: skip


def ranked(evidence: Evidence, noisy: np.ndarray) -> Ranking:
    """The figures of one set of labels; `evidence` holds features and near copies already."""
    truth = np.array(evidence.labels)
    table = evidence.samples.table
    at = table.schema.get_field_index("label")
    table = table.set_column(at, table.schema.field(at), pa.array(noisy, pa.int32()))
    judged = replace(evidence, samples=replace(evidence.samples, table=table))
    for name in ("inspection", "features", "near_pairs"):
        judged.__dict__[name] = getattr(evidence, name)
    before = cpu_seconds()
    quality = label_quality(judged)
    assert quality is not None
    return _figures(quality, truth[quality.rows] != quality.labels, cpu_seconds() - before)


def _figures(quality: LabelQuality, is_wrong: np.ndarray, spent: float) -> Ranking:
    from sklearn.metrics import average_precision_score, roc_auc_score

    first = np.argsort(-quality.doubt, kind="stable")[:1000]
    auroc, precision = (float(score(is_wrong, quality.doubt)) if is_wrong.any() else float("nan")
                        for score in (roc_auc_score, average_precision_score))  # fmt: skip
    return Ranking(
        wrong=float(is_wrong.mean()), auroc=auroc, average_precision=precision,
        precision_at_1000=float(is_wrong[first].mean()), estimated=quality.joint.num_errors / len(is_wrong),
        at_least=quality.joint.at_least, regularization=quality.regularization, cpu_s=spent,
    )  # fmt: skip


def cifar_train(limit: int | None = None) -> SampleTable:
    """The training images of CIFAR-10 in the original order."""
    samples = sl.index(str(SHARED / "cifar10" / "plain_text"))
    train = np.flatnonzero(np.array([s == "train" for s in samples.column("split")]))
    return samples.take(train[:limit])
