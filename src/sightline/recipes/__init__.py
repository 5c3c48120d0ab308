"""Recipes: frozen descriptions of a training, one file for each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sightline.artifacts import read_json
from sightline.errors import RecipeError, did_you_mean
from sightline.recipes import cifar10, digits, imagenette, mnist, photo
from sightline.recipes.choice import choose
from sightline.recipes.optimizers import AdamW, Muon, Optimizer, Sgd
from sightline.recipes.recipe import CrossEntropy, Ema, Model, Recipe, TrainSize
from sightline.recipes.schedules import Duration, Epochs, Schedule, Steps, WarmupCosine, WarmupLinear

__all__ = [
    "RECIPES", "get", "choose", "Recipe", "Model", "TrainSize", "CrossEntropy", "Ema",
    "Optimizer", "Sgd", "AdamW", "Muon", "Schedule", "WarmupCosine", "WarmupLinear", "Duration", "Epochs", "Steps",
]  # fmt: skip

RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "digits.fast": digits.fast,
    "mnist.fast": mnist.fast,
    "cifar10.fast": cifar10.fast,
    "imagenette.fast": imagenette.fast,
    "photo.scratch": photo.scratch,
    "photo.finetune": photo.finetune,
}
"""Name → function that returns the recipe."""


def get(name: str) -> Recipe:
    """The recipe of that name, or of a JSON file that `Recipe.to_json` describes (a run's recipe.json).

    Raises RecipeError when there is neither.
    """
    if name in RECIPES:
        return RECIPES[name]()
    path = Path(name)
    if path.suffix == ".json":
        data = read_json(path)
        if not isinstance(data, dict):
            raise RecipeError(f"{path} is not a recipe: wanted a JSON object, got {type(data).__name__}.")
        return Recipe.from_json(data)
    raise RecipeError(f"There is no recipe {name!r}.{did_you_mean(name, RECIPES)}")
