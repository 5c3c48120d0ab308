from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sightline import recipes
from sightline.errors import DataError, RecipeError
from sightline.recipes import (
    AdamW,
    Epochs,
    Muon,
    Recipe,
    Sgd,
    Steps,
    TrainSize,
    WarmupCosine,
    cifar10,
    digits,
    imagenette,
    mnist,
    photo,
)

NAMES = list(recipes.RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_named_after_its_place_and_survives_json(name: str) -> None:
    recipe = recipes.get(name)
    assert recipe.name == name
    back = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert back == recipe
    assert back.digest == recipe.digest


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_has_a_schedule_that_reaches_its_peak(name: str) -> None:
    recipe = recipes.get(name)
    factors = [recipe.lr_factor(u, 20) for u in range(recipe.updates(20))]
    assert max(factors) == 1.0
    assert factors[-1] < 0.2


@pytest.mark.parametrize("family", [cifar10, digits, imagenette, mnist, photo])
def test_every_family_says_how_to_run_it(family: object) -> None:
    names = [n for n in NAMES if n.startswith(str(family.__name__).rpartition(".")[2])]  # type: ignore[attr-defined]
    assert names
    for name in names:
        assert "sightline run" in (getattr(family, name.partition(".")[2]).__doc__ or "")


def test_all_digests_differ_and_every_field_counts() -> None:
    assert len({recipes.get(n).digest for n in NAMES}) == len(NAMES)
    base = recipes.get("imagenette.fast")
    changes = ["batch_size=65", "seed=1", "clip_norm=1", "loss.label_smoothing=0", "model.options.drop_rate=0.1",
               "schedule.final=0.1", "size=(160,160)", "precision=float32", "ema=Ema(0.99)"]  # fmt: skip
    assert len({base.with_set(c).digest for c in changes} | {base.digest}) == len(changes) + 1


def test_equal_numbers_are_one_digest() -> None:
    assert Sgd(lr=1) == Sgd(lr=1.0)
    base = recipes.get("digits.fast")
    assert base.with_set("optimizer.lr=1").digest == base.with_set("optimizer.lr=1.0").digest


def test_linear_scaling_is_said_not_implied() -> None:
    base = replace(recipes.get("imagenette.fast"), batch_size=512)
    assert replace(base, optimizer=Sgd(lr=0.1)).peak_lr == 0.1
    assert replace(base, optimizer=Sgd(lr=0.1, reference_batch_size=256)).peak_lr == pytest.approx(0.2)


def test_updates_follow_the_duration_and_refuse_an_endless_warmup() -> None:
    base = recipes.get("digits.fast")
    assert replace(base, duration=Epochs(3), schedule=WarmupCosine(warmup=Epochs(1))).updates(7) == 21
    assert replace(base, duration=Steps(5), schedule=WarmupCosine(warmup=Steps(2))).updates(7) == 5
    with pytest.raises(RecipeError, match="peak is never reached"):
        replace(base, duration=Epochs(1), schedule=WarmupCosine(warmup=Epochs(1))).updates(7)


def test_progressive_sizes_go_by_the_share_of_epochs() -> None:
    sizes = (TrainSize(start=0, size=(96, 96)), TrainSize(start=0.7, size=(128, 128)))
    recipe = replace(recipes.get("photo.scratch"), train_sizes=sizes)
    assert [recipe.train_size(e, 10)[0] for e in range(10)] == [96] * 7 + [128] * 3  # type: ignore[index]
    assert replace(recipe, train_sizes=()).train_size(0, 10) == recipe.size
    with pytest.raises(RecipeError, match="begin at 0"):
        replace(recipe, train_sizes=sizes[1:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sgd(lr=0), "Sgd.lr must be > 0"),
        (lambda: Sgd(momentum=0, nesterov=True), "nesterov needs a momentum"),
        (lambda: Sgd(weight_decay=-1), "weight_decay must be ≥ 0"),
        (lambda: AdamW(beta2=1.0), "lie in \\[0, 1\\)"),
        (lambda: Muon(weight_decay=0.1), "without effect"),
        (lambda: Sgd(reference_batch_size=0), "reference_batch_size"),
    ],
)
def test_optimizers_refuse_nonsense(make: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()  # type: ignore[operator]


def test_get_reads_files_and_suggests_names(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "recipe.json"
    recipe = recipes.get("mnist.fast").with_set("seed=3")
    path.write_text(json.dumps(recipe.to_json()))
    assert recipes.get(str(path)) == recipe
    with pytest.raises(RecipeError, match=r"Did you mean 'cifar10\.fast'"):
        recipes.get("cifar.fast")
    with pytest.raises(DataError, match="does not exist"):
        recipes.get(str(path.with_name("none.json")))
    path.write_text("[1]")
    with pytest.raises(RecipeError, match="JSON object"):
        recipes.get(str(path))
