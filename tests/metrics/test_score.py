"""A score: all metrics of one split, as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from sightline import metrics
from sightline.metrics import Score, score
from tests.metrics.test_measures import random_predictions
from tests.test_predictions import predictions_of, samples_of


@pytest.fixture
def mixed() -> Score:
    """Three right, one wrong, one unreadable, one invalid, one without a label; sample 0 leaked."""
    logits = np.array([[3, 0, 0]] * 4 + [[0, 0, 0], [np.nan, 0, 0], [1, 0, 0]], np.float32)
    p = predictions_of(logits, [0, 0, 0, 1, 0, 0, None], {4: "not an image"})
    leaked = [bytes(p.ids[0])]
    return score(p, "test", leaked=leaked, look=2, digests={"split": "ab"})


def test_fields(mixed: Score) -> None:
    assert (mixed.n, mixed.unreadable, mixed.invalid, mixed.unlabelled) == (6, 1, 1, 1)
    assert mixed.top1.value == 0.5
    assert mixed.top5 is None
    assert (mixed.nll.n, mixed.ece.n) == (4, 4)
    assert [(f.key, f.status, f.reason) for f in mixed.failures] == [
        ("4.jpg", "unreadable", "not an image"), ("5.jpg", "invalid", "the model gave a logit that is not finite"),
    ]  # fmt: skip
    assert mixed.without_leaks is not None
    assert (mixed.without_leaks.value, mixed.without_leaks.n) == (0.4, 5)
    assert mixed.digests["split"] == "ab"
    assert mixed.predictions is not None
    assert mixed.digests["predictions"] == mixed.predictions.digest


def test_every_number_carries_the_look(mixed: Score) -> None:
    assert str(mixed.top1).endswith("n=6, look 2")
    assert {e.look for e in (mixed.nll, mixed.ece, mixed.without_leaks, *mixed.per_class) if e is not None} == {2}
    assert str(mixed) == "test top-1 50.0 % [18.8, 81.2] n=6 · look 2 · without leaks 40.0 % [11.8, 76.9] n=5"


def test_a_val_score_says_what_it_is() -> None:
    said = str(score(random_predictions(50), "val"))
    assert said.endswith("n=50 · selected on val")


def test_without_leaks_is_none_without_leaks() -> None:
    p = random_predictions(20)
    assert score(p, "test").without_leaks is None
    assert score(p, "test", leaked=[b"\0" * 16]).without_leaks is None
    assert score(p, "test", leaked=p.ids).without_leaks is None  # nothing would be left to score


def test_json_round_trip(mixed: Score) -> None:
    stored = json.loads(json.dumps(mixed.to_json(), allow_nan=False))
    assert {"top1", "nll", "ece", "look", "per_class", "confusion", "digests"} <= set(stored)
    assert set(stored["top1"]) == {"value", "low", "high", "n"}
    read = Score.from_json(stored)
    assert read.to_json() == mixed.to_json()
    assert (read.top1, read.failures, read.classes) == (mixed.top1, mixed.failures, mixed.classes)
    assert np.array_equal(read.confusion, mixed.confusion)
    assert str(read) == str(mixed)


def test_a_model_that_gives_nothing_still_makes_valid_json() -> None:
    p = predictions_of(np.full((3, 6), np.nan, np.float32), [0, 1, 2])
    stored = json.loads(json.dumps(score(p, "val").to_json(), allow_nan=False))
    assert stored["nll"] == {"value": None, "low": 0.0, "high": None, "n": 0}
    assert str(Score.from_json(stored).nll) == "no samples"


def test_groups_follow_their_rows() -> None:
    p = random_predictions(60, 6)
    groups = [f"patient {i // 4}" for i in range(60)]
    whole = score(p, "test", groups=groups, leaked=p.ids[:8])
    assert whole.top1.groups == 15
    assert whole.without_leaks is not None
    assert (whole.without_leaks.n, whole.without_leaks.groups) == (52, 13)


def test_to_pandas(mixed: Score) -> None:
    frame = mixed.to_pandas()
    assert frame["metric"].tolist() == ["top1", "nll", "ece", "without_leaks", "accuracy", "accuracy", "accuracy"]
    assert frame["class"].tolist()[-3:] == ["tabby (n02123045)", "dog", "eel"]


def test_public_names() -> None:
    assert all(hasattr(metrics, name) for name in metrics.__all__)
    assert len(samples_of([0])) == 1


def test_a_corrected_test_says_so(mixed: Score) -> None:
    said = "the test was corrected in review: 1 dropped"
    made = replace(mixed, corrected=said)
    assert str(made) == f"{mixed} · {said}"
    assert Score.from_json(json.loads(json.dumps(made.to_json()))).corrected == said
    older = {k: v for k, v in mixed.to_json().items() if k != "corrected"}
    assert Score.from_json(older).corrected == ""
