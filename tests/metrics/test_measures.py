"""Metrics against closed forms and independent implementations; ties, NaN and unreadable images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score

from sightline import metrics
from sightline.errors import DataError
from sightline.predictions import Predictions
from tests.test_predictions import predictions_of


def random_predictions(n: int = 300, k: int = 10, seed: int = 0, sharpness: float = 1.0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    logits = rng.normal(0, 1, (n, k)).astype(np.float32)
    logits[np.arange(n), labels] += 1
    return predictions_of(logits * np.float32(sharpness), labels.tolist())


def test_against_scikit_learn() -> None:
    p = random_predictions()
    probabilities = softmax(p.logits.astype(float), 1)
    assert metrics.top1(p).value == pytest.approx(top_k_accuracy_score(p.labels, probabilities, k=1))
    five = metrics.top5(p)
    assert five is not None
    assert five.value == pytest.approx(top_k_accuracy_score(p.labels, probabilities, k=5))
    assert metrics.nll(p).value == pytest.approx(log_loss(p.labels, probabilities), abs=1e-9)
    assert np.array_equal(metrics.confusion(p), confusion_matrix(p.labels, p.logits.argmax(1)))


def test_nll_is_one_mean_over_all_samples() -> None:
    """101 samples in batches of 10: the mean of batch means would weigh the last sample ten times."""
    p = random_predictions(101)
    losses = -log_softmax(p.logits.astype(float), 1)[np.arange(101), p.labels]
    of_batches = np.mean([losses[i : i + 10].mean() for i in range(0, 101, 10)])
    assert metrics.nll(p).value == pytest.approx(losses.mean(), abs=1e-9)
    assert abs(of_batches - losses.mean()) > 1e-3


def naive_ece(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """By its definition, one bin after the other."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    total = 0.0
    for b in range(15):
        inside = (sure > b / 15) & (sure <= (b + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    return float(total)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 5.0])
def test_ece_is_its_definition(sharpness: float) -> None:
    p = random_predictions(400, 4, seed=2, sharpness=sharpness)
    assert metrics.ece(p).value == pytest.approx(naive_ece(p.probabilities, p.labels), abs=1e-12)
    bins = metrics.calibration(p)
    assert sum(b["n"] for b in bins) == 400
    assert sum(b["n"] / 400 * abs(b["confidence"] - b["accuracy"]) for b in bins) == pytest.approx(metrics.ece(p).value)


def test_ece_closed_form() -> None:
    """Four samples at confidence 0.8, two of them right: |0.8 - 0.5|."""
    p = predictions_of(np.array([[math.log(4), 0.0]] * 4, np.float32), [0, 0, 1, 1])
    assert metrics.ece(p).value == pytest.approx(0.3, abs=1e-7)


def test_ece_bins_are_open_below_and_closed_above() -> None:
    """Confidence exactly 1/5 = 3/15, on an edge, belongs to the third bin."""
    p = predictions_of(np.zeros((5, 5), np.float32), [0, 1, 2, 3, 4])
    assert [b["n"] for b in metrics.calibration(p)].index(5) == 2
    assert metrics.ece(p).value == pytest.approx(0.0, abs=1e-12)  # chance, and sure of just that


@pytest.mark.parametrize("k", [2, 6, 10, 1000])
def test_constant_logits_score_chance(k: int) -> None:
    p = predictions_of(np.full((40, k), 0.25, np.float32), [i % k for i in range(40)])
    assert metrics.top1(p).value == pytest.approx(1 / k)
    five = metrics.top5(p)
    assert five is None if k <= 5 else five is not None and five.value == pytest.approx(5 / k)


def test_all_nan_scores_nothing() -> None:
    """An argmax over NaN would call every sample class 0."""
    p = predictions_of(np.full((12, 6), np.nan, np.float32), [0] * 12)
    assert metrics.top1(p).value == 0
    assert metrics.topk(p, 5).value == 0
    assert metrics.nll(p).n == metrics.ece(p).n == 0
    assert math.isnan(metrics.nll(p).value)
    assert not metrics.confusion(p).any()


def test_unreadable_and_invalid_count_as_wrong_in_top1_and_not_in_nll() -> None:
    logits = np.array([[5, 0], [5, 0], [5, 0], [np.nan, 0]], np.float32)
    p = predictions_of(logits, [0, 0, 0, 0], {2: "truncated"})
    whole, probable = metrics.top1(p), metrics.nll(p)
    assert (whole.value, whole.n) == (0.5, 4)
    assert probable.n == metrics.ece(p).n == 2
    assert probable.value == pytest.approx(math.log1p(math.exp(-5)))
    assert metrics.per_class(p)[0].value == 0.5
    assert metrics.confusion(p).tolist() == [[2, 0], [0, 0]]


def test_unlabelled_samples_are_not_scored() -> None:
    p = predictions_of(np.array([[5, 0], [5, 0], [0, 5]], np.float32), [0, None, 0])
    assert (metrics.top1(p).value, metrics.top1(p).n) == (0.5, 2)
    assert metrics.top1(p, ["a", "b", "c"]).groups is None  # the groups of the labelled ones, each of one sample
    with pytest.raises(DataError, match="None of the predictions has a label"):
        metrics.top1(p.take([1]))


def test_top1_is_per_sample_not_macro() -> None:
    """98 of class 0 right, 2 of class 1 wrong: 0.98 per sample, 0.5 as a mean over classes."""
    p = predictions_of(np.array([[1, 0]] * 100, np.float32), [0] * 98 + [1] * 2)
    assert metrics.top1(p).value == 0.98
    assert [e.value for e in metrics.per_class(p)] == [1.0, 0.0]
    assert [e.n for e in metrics.per_class(p)] == [98, 2]


def test_a_class_without_samples_has_n_0() -> None:
    absent = metrics.per_class(predictions_of(np.eye(3, dtype=np.float32)[:2], [0, 1]))[2]
    assert absent.n == 0
    assert math.isnan(absent.value)


small = st.integers(-2, 2).map(float)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_invariants(data: st.DataObject) -> None:
    n, k = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 8))
    rows = st.lists(st.lists(small | st.just(math.nan), min_size=k, max_size=k), min_size=n, max_size=n)
    logits = np.array(data.draw(rows), np.float32)
    labels = data.draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    p = predictions_of(logits, labels)
    values = [metrics.topk(p, j).value for j in range(1, k + 1)]
    assert values == sorted(values)  # top-5 ≥ top-1
    assert values[-1] == pytest.approx(p.is_valid.mean())
    matrix = metrics.confusion(p)
    assert matrix.trace() / n == pytest.approx(values[0])
    assert matrix.sum() == pytest.approx(p.is_valid.sum())
    assert sum(e.value * e.n for e in metrics.per_class(p) if e.n) == pytest.approx(values[0] * n)
    order = data.draw(st.permutations(range(n)))
    assert metrics.topk(p.take(order), 1).value == pytest.approx(values[0])
    columns = data.draw(st.permutations(range(k)))  # the order of the classes must not matter, ties or not
    renamed = predictions_of(logits[:, columns], [columns.index(label) for label in labels])
    assert metrics.topk(renamed, 1).value == pytest.approx(values[0])


def test_ties_get_their_expected_credit() -> None:
    """Exact by enumeration: break the ties in every order and count."""
    p = predictions_of(np.array([[2, 2, 2, 1, 1, 0]], np.float32), [3])
    assert [metrics.topk(p, k).value for k in range(1, 7)] == [0, 0, 0, 0.5, 1, 1]
    assert metrics.topk(predictions_of(p.logits, [1]), 2).value == pytest.approx(2 / 3)


def test_groups_reach_every_metric() -> None:
    p = random_predictions(60, 6)
    groups = [i // 4 for i in range(60)]
    for measure in (metrics.top1, metrics.top5, metrics.nll, metrics.ece):
        e = measure(p, groups)
        assert e is not None
        assert e.groups == 15
        assert e.low <= e.value <= e.high
    with pytest.raises(DataError, match="3 groups for 60 predictions"):
        metrics.top1(p, ["a"] * 3)


def test_intervals_of_nll_and_ece() -> None:
    """NLL: the central limit theorem's width. ECE: reflected, so that its upward bias is not counted twice."""
    p = random_predictions(2000, 10, seed=4)
    losses = -p.log_probabilities[np.arange(2000), p.labels]
    e = metrics.nll(p)
    assert e.high - e.low == pytest.approx(2 * 1.96 * losses.std() / math.sqrt(2000), rel=0.1)
    c = metrics.ece(p)
    assert 0 <= c.low <= c.value <= c.high <= 1
    one = p.take([0])
    assert (metrics.nll(one).low, metrics.nll(one).high) == (0, math.inf)
    assert (metrics.ece(one).low, metrics.ece(one).high) == (0, 1)


def test_golden_digits() -> None:
    """A change of any of these is a change of every published interval."""
    p = random_predictions(500, 10, seed=7, sharpness=3.0)
    shown = {m.__name__: m(p).to_json() for m in (metrics.top1, metrics.nll, metrics.ece)}
    grouped = metrics.top1(p, [i // 5 for i in range(500)])
    assert {k: [round(v[f], 9) for f in ("value", "low", "high")] for k, v in shown.items()} == GOLDEN
    assert [round(x, 9) for x in (grouped.value, grouped.low, grouped.high)] == GOLDEN_GROUPED


GOLDEN = {
    "top1": [0.334, 0.294063812, 0.376467469],
    "nll": [2.574326902, 2.368912106, 2.785943202],
    "ece": [0.3412105, 0.299380793, 0.380095956],
}
GOLDEN_GROUPED = [0.334, 0.292, 0.376]
