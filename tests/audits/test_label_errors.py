"""Label errors: what is queued, by whom it was judged, and who has no say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sightline as sl
from sightline.audits.confident import confident_joint
from sightline.audits.findings import Findings
from sightline.audits.label_errors import label_errors
from sightline.audits.label_quality import LabelQuality, label_quality
from sightline.errors import DataError
from sightline.predictions import Predictions
from sightline.samples import Classes, SampleTable
from tests.audits.evidences import evidence_of
from tests.conftest import save_photo
from tests.features.made import clusters
from tests.tables import sample, samples_of


def mislabelled(count: int = 400, size: int = 4, share: float = 0.1, **known: Any) -> tuple[SampleTable, Any, Any]:
    """Samples with features of their true class, some labels of which are wrong; the wrong ones."""
    features, truth = clusters(count, size, 20)
    rng = np.random.default_rng(5)
    wrong = np.sort(rng.permutation(count)[: int(share * count)])
    given = truth.copy()
    given[wrong] = (given[wrong] + rng.integers(1, size, len(wrong))) % size
    rows = [sample(f"{i:04d}", int(c), **{k: v[i] for k, v in known.items()}) for i, c in enumerate(given)]
    return samples_of(rows, size), features, wrong


def judged(evidence: Any) -> LabelQuality:
    found = label_quality(evidence)
    assert found is not None
    return found


def test_wrong_labels_lead_the_queue() -> None:
    samples, features, wrong = mislabelled()
    whole, *queue = label_errors(evidence_of(samples, features))
    keys = [int(f.subject) for f in queue]
    assert set(keys[: len(wrong) - 3]) <= set(wrong.tolist())
    assert set(wrong.tolist()) <= set(keys)
    assert [f.score for f in queue] == sorted((f.score for f in queue), reverse=True)
    assert len(queue) <= 1.5 * whole.evidence["estimated_errors"] + 1
    assert abs(whole.evidence["estimated_errors"] - len(wrong)) <= 12
    assert whole.subject == "label"
    assert whole.level == "warning"
    assert whole.sample_id is None


def test_a_row_says_what_to_decide_on() -> None:
    samples, features, wrong = mislabelled()
    truth = clusters(400, 4, 20)[1]
    queue = [f for f in label_errors(evidence_of(samples, features))[1:] if int(f.subject) in wrong]
    labels = samples.column("label")
    for finding in queue:
        row, facts = int(finding.subject), finding.evidence
        assert facts["suggested"] == truth[row]
        assert facts["suggested_class"] == samples.classes.title(int(truth[row]))
        assert facts["probabilities"]["suggested"] > facts["probabilities"]["given"]
        assert finding.score == pytest.approx(1 - facts["probabilities"]["given"], abs=1e-3)
        (related,) = samples.positions([finding.related_id]) if finding.related_id else (None,)
        assert labels[related] == truth[row], "the example has the suggested label"
        assert facts["related"] == samples.column("key")[related]
        assert finding.splits is None, "a pair of the queue is no leak"
    rows = Findings.of([("label-errors", queue)], {})
    assert rows.leaks() == ()


def test_right_labels_give_no_queue() -> None:
    samples, features, _ = mislabelled(share=0.0)
    assert label_errors(evidence_of(samples, features)) == []


def test_copies_do_not_vouch_for_one_another() -> None:
    """Four copies with one wrong label each make it look right, unless they are left out together."""
    samples, features, _ = mislabelled(share=0.0)
    truth = samples.labels
    rows = samples.table.to_pylist()
    same = [0, 4, 8, 12]
    rng = np.random.default_rng(0)
    wide = np.concatenate([features, 6 * rng.normal(0, 1, (400, 600))], 1).astype(np.float32)
    wide[same] = wide[0]
    for i in same:
        rows[i] = {**rows[i], "label": (truth[0] + 1) % 4}
    table = samples_of(rows, 4)
    apart = judged(evidence_of(table, wide))
    together = judged(evidence_of(table, wide, pairs=[(0, 4), (4, 8), (8, 12)]))
    grouped = judged(evidence_of(samples_of([{**r, "group_id": "one" if i in same else r["key"]}
                                             for i, r in enumerate(rows)], 4), wide))  # fmt: skip
    assert (apart.given[same] > 0.4).all()
    assert (together.given[same] < 0.3).all()
    assert np.allclose(together.given, grouped.given)


def test_test_has_neither_a_vote_nor_a_row() -> None:
    homes = np.array(["train", "val", "test", "train"] * 100, object)
    samples, features, _ = mislabelled(split=homes)
    found = judged(evidence_of(samples, features))
    assert (homes[found.rows] != "test").all()
    assert len(found.rows) == 300
    other = features.copy()
    other[homes == "test"] = np.random.default_rng(0).normal(0, 9, (100, 20))
    assert np.array_equal(judged(evidence_of(samples, other)).given, found.given)


def test_samples_without_features_or_label_are_left_out() -> None:
    samples, features, _ = mislabelled()
    holed = features.copy()
    holed[::7] = np.nan
    labels = pa.array([None if i % 11 == 0 else v for i, v in enumerate(samples.column("label"))], pa.int32())
    at = samples.table.schema.get_field_index("label")
    table = replace(samples, table=samples.table.set_column(at, samples.table.schema.field(at), labels))
    found = judged(evidence_of(table, holed))
    assert found.rows.tolist() == [i for i in range(400) if i % 7 and i % 11]


@pytest.mark.parametrize("few", [[0] * 40, [0, 1] * 5, [None] * 40], ids=["one class", "few", "none"])
def test_too_little_to_judge_by(few: list[int | None]) -> None:
    samples = samples_of([sample(f"{i}", c) for i, c in enumerate(few)], 2)
    assert label_errors(evidence_of(samples, np.random.default_rng(0).normal(0, 1, (len(few), 3)))) == []


def predictions_of(samples: SampleTable, logits: np.ndarray) -> Predictions:
    return Predictions.from_logits(samples, logits.astype(np.float32))


def test_good_predictions_help_and_bad_ones_do_not_hurt() -> None:
    samples, features, wrong = mislabelled(600, 4, 0.2)
    blurred = (features + np.random.default_rng(1).normal(0, 5, features.shape)).astype(np.float32)
    truth, rng = clusters(600, 4, 20)[1], np.random.default_rng(2)
    is_wrong = np.isin(np.arange(600), wrong)

    def ranking(predictions: Predictions | None) -> float:
        doubt = judged(evidence_of(samples, blurred, predictions=predictions)).doubt
        order = np.argsort(np.argsort(doubt))
        n = int(is_wrong.sum())
        return float((order[is_wrong].sum() - n * (n - 1) / 2) / (n * (600 - n)))

    alone = ranking(None)
    good = ranking(predictions_of(samples, 2 * np.eye(4)[truth] + rng.normal(0, 1, (600, 4))))
    noise = ranking(predictions_of(samples, rng.normal(0, 1, (600, 4))))
    assert alone < 0.97
    assert good > alone + 0.01
    assert abs(noise - alone) < 0.01


def test_predictions_of_some_samples_count_for_those() -> None:
    samples, features, _ = mislabelled()
    some = samples.take(np.arange(0, 400, 2))
    predictions = predictions_of(some, np.random.default_rng(0).normal(0, 1, (200, 4)))
    alone = judged(evidence_of(samples, features))
    found = judged(evidence_of(samples, features, predictions=predictions))
    assert np.array_equal(alone.given[1::2], found.given[1::2])
    assert found.blended is not None
    fewer = evidence_of(samples.take(np.arange(300)), features[:300], predictions=predictions)
    assert judged(fewer).blended is not None, "predictions of samples that are no longer there are passed over"
    strange = Predictions(predictions.table, Classes(tuple("wxyz"), tuple("wxyz")), {})
    with pytest.raises(DataError, match="not those of made"):
        label_quality(evidence_of(samples, features, predictions=strange))


def test_the_joint_is_that_of_confident_learning() -> None:
    """The counts of cleanlab's confident joint, and an estimate near the planted number."""
    cleanlab = pytest.importorskip("cleanlab.count")
    samples, features, wrong = mislabelled(2000, 4, 0.15)
    found = judged(evidence_of(samples, features))
    chances = np.exp(found.log_probabilities.astype(np.float64))
    chances /= chances.sum(1, keepdims=True)
    theirs = cleanlab.compute_confident_joint(found.labels, chances)
    assert np.abs(theirs - found.joint.counts).max() <= 2
    assert found.joint.counts.sum(1).tolist() == np.bincount(found.labels).tolist()
    assert abs(found.joint.num_errors - len(wrong)) < 0.2 * len(wrong)
    filtered = pytest.importorskip("cleanlab.filter").find_label_issues(found.labels, chances, filter_by="both")
    first = set(found.queue(found.joint.num_errors).tolist())
    assert len(first & set(np.flatnonzero(filtered).tolist())) > 0.9 * filtered.sum()


@pytest.mark.parametrize(
    ("spread", "share", "level"), [(6.0, 0.0, "info"), (6.0, 0.2, "warning"), (0.0, 0.2, "warning")]
)  # fmt: skip
def test_a_weak_judge_is_no_warning(spread: float, share: float, level: str) -> None:
    """It disagrees with 43 % of labels that are all right; where they are wrong the surest of its answers tell."""
    features, truth = clusters(1500, 6, 20)
    rng = np.random.default_rng(3)
    given = np.where(rng.random(1500) < share, (truth + rng.integers(1, 6, 1500)) % 6, truth)
    blurred = features + rng.normal(0, spread, features.shape).astype(np.float32)
    samples = samples_of([sample(f"{i}", int(c)) for i, c in enumerate(given)], 6)
    whole, *queue = label_errors(evidence_of(samples, blurred))
    assert (whole.level, len(queue) > 0) == (level, True)
    assert ("the judge's own mistakes" in whole.message) == (level == "info")
    assert whole.evidence["estimated_errors"] >= 0.05 * 1500
    assert 0.4 * share < whole.evidence["at_least"] < share + 0.03


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.1,) * 10], ids=len)
@pytest.mark.parametrize("count", [60, 1000])
def test_a_judge_that_sees_nothing_finds_nothing(count: int, shares: tuple[float, ...]) -> None:
    """Constant images, or labels that a picture does not show: the rare class is not wrong because it is rare."""
    rng = np.random.default_rng(0)
    labels = rng.choice(len(shares), count, p=shares)
    samples = samples_of([sample(f"{i}", int(c)) for i, c in enumerate(labels)], len(shares))
    whole = label_errors(evidence_of(samples, rng.normal(0, 1, (count, 20)).astype(np.float32)))[:1]
    assert all(f.level == "info" and f.evidence["estimated_errors"] <= 0.05 * count for f in whole)


def test_a_rare_class_that_is_not_recognised_is_not_wrong() -> None:
    features, truth = clusters(600, 2, 20)
    rare = np.random.default_rng(1).permutation(600)[:60]
    truth[rare] = 2
    samples = samples_of([sample(f"{i:03d}", int(c)) for i, c in enumerate(truth)], 3)
    assert label_errors(evidence_of(samples, features)) == []


def test_one_surprise_among_the_ten_surest_is_no_warning() -> None:
    """Of 96 labels that are all right a judge doubts twelve, and by chance one of them is among its surest."""
    labels, sure = np.arange(96) % 2, np.linspace(0.95, 0.6, 96)
    predicted = np.where(np.arange(96) % 8 == 3, 1 - labels, labels)
    chances = np.where(predicted[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    joint = confident_joint(np.log(chances), labels)
    assert joint.num_errors >= 0.05 * 96
    assert joint.at_least < 0.05


def test_classes_that_overlap_are_no_warning() -> None:
    features, truth = clusters(1000, 10, 20)
    blurred = features + np.random.default_rng(3).normal(0, 12, features.shape).astype(np.float32)
    samples = samples_of([sample(f"{i}", int(c)) for i, c in enumerate(truth)], 10)
    whole, *_ = label_errors(evidence_of(samples, blurred))
    assert whole.evidence["agreement"] < 0.4
    assert (whole.level, whole.evidence["at_least"]) == ("info", 0)


def test_confused_classes_are_named() -> None:
    features, truth = clusters(600, 4, 20)
    given = truth.copy()
    given[np.flatnonzero(truth == 2)[:40]] = 1
    samples = samples_of([sample(f"{i}", int(c)) for i, c in enumerate(given)], 4)
    (whole, *_) = label_errors(evidence_of(samples, features))
    (confused,) = whole.evidence["confused"]
    assert (confused["given"], confused["likely"]) == ("b", "c")
    assert 15 < confused["samples"] <= 42
    assert whole.message.endswith("Most confused: b for c.")


def test_classes_without_samples_are_no_trouble() -> None:
    logs = np.log(np.full((30, 5), 0.2))
    joint = confident_joint(logs, np.arange(30) % 3)
    assert joint.counts.sum() == 30
    assert not joint.counts[3:].any()


def test_pictures_from_end_to_end(tmp_path: Path) -> None:
    """Dark and bright photos, two of them in the wrong folder; random patches and near copies found by the audit."""
    for i in range(80):
        is_bright = i % 2 == 1
        folder = ("bright", "dark")[is_bright if i in (10, 31) else not is_bright]
        save_photo(tmp_path / folder / f"{i:03d}.jpg", i, level=130 * is_bright)
    found = sl.audit(sl.index(tmp_path), checks=["label-errors", "optimism"])
    rows = [{**r, **json.loads(r["evidence"])} for r in found.table.to_pylist()]
    assert {r["check"] for r in rows} == {"label-errors"}
    assert {r["subject"] for r in rows[1:3]} == {"dark/031.jpg", "bright/010.jpg"}
    assert rows[0]["judge"] == "random-patch features"


def test_evidence_is_json() -> None:
    samples, features, _ = mislabelled()
    for finding in label_errors(evidence_of(samples, features)):
        json.dumps(finding.row("label-errors"), default=bytes.hex, allow_nan=False)
