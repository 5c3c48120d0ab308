"""A wrong class order is told from a bad model: by orders that are known, and only when they fit far better."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.catalog.class_orders import known_orders
from sightline.catalog.label_maps import label_space
from sightline.metrics import Score, score
from sightline.metrics.class_order import mistaken_order
from sightline.predictions import Predictions
from sightline.samples import Classes
from tests.test_predictions import samples_of

WNIDS = Classes(label_space("imagenet-1k"), label_space("imagenet-1k"), "official")
NUMBERS = Classes(tuple(map(str, range(1_000))), tuple(map(str, range(1_000))), "numeric")


def predicted(classes: Classes, labels: np.ndarray, outputs: np.ndarray) -> Predictions:
    """Predictions whose highest logit is the given output."""
    logits = np.random.default_rng(0).normal(0, 0.1, (len(labels), len(classes))).astype(np.float32)
    logits[np.arange(len(labels)), outputs] += 5
    return Predictions.from_logits(samples_of(labels.tolist(), classes), logits)


def model_in_order(classes: Classes, order: np.ndarray, accuracy: float, n: int = 500, seed: int = 0) -> Predictions:
    """A model whose output j means class `order[j]`, right in a share of cases."""
    rng = np.random.default_rng(seed)
    k = len(classes)
    labels = rng.integers(0, k, n)
    meant = np.where(rng.random(n) < accuracy, labels, rng.integers(0, k, n))
    return predicted(classes, labels, np.argsort(order)[meant])


@pytest.mark.parametrize("name", known_orders(WNIDS))
def test_a_wrong_order_of_wnids_is_found(name: str) -> None:
    order = known_orders(WNIDS)[name]
    found = mistaken_order(model_in_order(WNIDS, order, 0.6))
    assert found is not None
    assert found.order == name
    assert found.top1 > 0.5 > 0.05 > found.top1_as_given
    assert np.array_equal(found.meant, order)
    assert "class order is probably wrong" in str(found)


def test_the_known_orders() -> None:
    """Numbered folders read as text: the trap of ImageNet-V2, where accuracy falls to chance."""
    orders = known_orders(NUMBERS)
    text = orders["ids sorted as text (0, 1, 10, 100, …)"]
    assert text[:4].tolist() == [0, 1, 10, 100]
    assert "ids sorted as people sort (2 before 10)" not in orders  # it is their own
    devkit = known_orders(WNIDS)["the ILSVRC development kit's numbers"]
    assert devkit[489] == 65
    assert np.array_equal(devkit, orders["the ILSVRC development kit's numbers"])
    assert all(sorted(o.tolist()) == list(range(1_000)) for o in (*orders.values(), *known_orders(WNIDS).values()))
    found = mistaken_order(model_in_order(NUMBERS, text, 0.5))
    assert found is not None
    assert found.order.startswith("ids sorted as text")


def test_devkit_classes_that_should_be_sorted() -> None:
    devkit = Classes(label_space("imagenet-1k/devkit"), label_space("imagenet-1k/devkit"), "file")
    found = mistaken_order(model_in_order(devkit, known_orders(devkit)["wnids sorted"], 0.7))
    assert found is not None
    assert found.order in {"wnids sorted", "ids sorted as text (0, 1, 10, 100, …)"}  # for these ids the same


def test_labels_that_count_a_background_class() -> None:
    found = mistaken_order(model_in_order(WNIDS, np.roll(np.arange(1_000), 1), 0.8))
    assert found is not None
    assert "a background class was counted" in found.order


def test_a_good_model_and_a_bad_one_say_nothing() -> None:
    assert mistaken_order(model_in_order(WNIDS, np.arange(1_000), 0.3)) is None
    assert mistaken_order(model_in_order(WNIDS, np.arange(1_000), 0.0)) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**31))
def test_guessing_and_a_constant_answer_say_nothing(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = Classes(tuple(map(str, range(k))), tuple(map(str, range(k))), "numeric")
    labels = rng.choice(k, 400, p=rng.dirichlet(np.ones(k)))
    assert mistaken_order(predicted(classes, labels, rng.integers(0, k, 400))) is None
    assert mistaken_order(predicted(classes, labels, np.full(400, int(rng.integers(k))))) is None


def test_two_classes_swapped() -> None:
    classes = Classes(("cat", "dog"), ("cat", "dog"))
    found = mistaken_order(model_in_order(classes, np.array([1, 0]), 0.9))
    assert found is not None
    assert found.meant == (1, 0)


def test_orders_can_be_given_and_unlabelled_samples_do_not_count() -> None:
    classes = Classes(("a", "b", "c"), ("a", "b", "c"))
    own = model_in_order(classes, np.array([2, 0, 1]), 1.0)
    found = mistaken_order(own, {"mine": np.array([2, 0, 1])})
    assert found is not None
    assert (found.order, found.top1, found.n) == ("mine", 1.0, 500)
    nothing = Predictions.from_logits(samples_of([None, None], classes), np.zeros((2, 3), np.float32))
    assert mistaken_order(nothing) is None


def test_a_score_says_so_and_keeps_it() -> None:
    """The sentence reaches the line of `evaluate` and the stored scores, which the report cites."""
    name = next(iter(known_orders(WNIDS)))
    wrong = score(model_in_order(WNIDS, known_orders(WNIDS)[name], 0.6), "val")
    assert name in wrong.mistaken_order
    assert "class order is probably wrong" in str(wrong)
    assert Score.from_json(json.loads(json.dumps(wrong.to_json()))).mistaken_order == wrong.mistaken_order
    right = score(model_in_order(WNIDS, np.arange(len(WNIDS)), 0.6), "val")
    assert right.mistaken_order == ""
    assert "order" not in str(right)
