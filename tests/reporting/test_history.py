from __future__ import annotations

from typing import Any

import pytest

from sightline import recipes
from sightline.reporting.history import curves, describe_speed, epochs_of, recipe_rows, value_in_words
from sightline.runs import Run
from tests.reporting.made import Made


@pytest.mark.parametrize(("value", "said"), [
    (None, "none"), ([], "none"), (True, "yes"), (0.0005, "0.0005"), (32_768, "32,768"), ([128, 96], "128 × 96"),
    ([0.35, 1.0], "0.35 – 1"), ([1, 2, 3], "1, 2, 3"), ({"type": "Epochs", "epochs": 15}, "15 epochs"),
    ({"type": "Sgd", "lr": 0.1, "weight_decay": 0.0, "nesterov": True}, "Sgd · lr 0.1 · weight decay 0 · nesterov yes"),
    ({"type": "Model", "name": "small_cnn", "pretrained": False, "options": {}}, "small_cnn · pretrained no"),
    ({"type": "Augmentation", "transforms": [{"type": "Flip", "p": 0.5}, {"type": "Crop", "padding": 4}]},
     "Flip · p 0.5; Crop · padding 4"),
    ({"type": "WarmupCosine", "warmup": {"type": "Steps", "steps": 9}, "final": 0.0},
     "WarmupCosine · warmup 9 steps · final 0"),
])  # fmt: skip
def test_values_in_words(value: Any, said: str) -> None:
    assert value_in_words(value) == said


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_field_of_a_recipe_has_a_row(name: str) -> None:
    recipe = recipes.get(name)
    rows = dict(recipe_rows(recipe))
    assert list(rows) == [field.replace("_", " ") for field in recipe.to_json() if field != "type"]
    assert all(words and "{" not in words for words in rows.values())


def test_an_epoch_that_a_resumed_run_wrote_again_counts_once() -> None:
    log = [{"kind": "start"}, *({"kind": "epoch", "epoch": e, "lr": lr} for e, lr in ((1, 0.1), (2, 0.2), (2, 0.3)))]
    assert [line["lr"] for line in epochs_of(log)] == [0.1, 0.3]


def test_curves_draw_what_the_log_holds(made: Made) -> None:
    epochs = epochs_of(made.run.log())
    figures = dict(curves(epochs))
    assert list(figures) == ["Loss", "Top-1 on val", "Learning rate"]
    assert figures["Top-1 on val"].data[0]["y"] == [round(100 * line["val_top1"], 6) for line in epochs]
    assert figures["Loss"].legend == ("train", "val")
    without_val = [{k: v for k, v in line.items() if not k.startswith("val")} for line in epochs]
    assert [title for title, _ in curves(without_val)] == ["Loss", "Learning rate"]


def test_a_loss_that_is_not_finite_is_a_gap() -> None:
    figure = dict(curves([{"epoch": 1, "train_loss": 1.0}, {"epoch": 2, "train_loss": float("nan")}]))["Loss"]
    assert figure.data[0]["y"] == [1.0, None]


def test_the_share_of_waiting_is_weighted_by_time() -> None:
    epochs = [{"epoch": 1, "time_s": 9.0, "wait_share": 0.0, "images_per_s": 100.0},
              {"epoch": 2, "time_s": 1.0, "wait_share": 0.5, "images_per_s": 300.0}]  # fmt: skip
    facts = dict(describe_speed(epochs)["facts"])
    assert facts == {"training": "10 s", "epochs": "2", "images per second": "200",
                     "waiting for the loader": "5.0\u202f%"}  # fmt: skip


def test_a_run_has_a_figure_of_its_speed_from_the_second_epoch_on(made: Made) -> None:
    assert isinstance(made.run, Run)
    epochs = epochs_of(made.run.log())
    assert describe_speed(epochs)["figure"] is not None
    assert describe_speed(epochs[:1])["figure"] is None
