"""Which recipe a study is fitted with: a name, a file or the choice made from its images, and the changes to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sightline import recipes
from sightline.recipes import Recipe
from sightline.samples import SampleTable


@dataclass(frozen=True)
class Choice:
    """A recipe and why it is this one."""

    recipe: Recipe
    reason: str


def recipe_for(samples: SampleTable, name: str | None, changes: Sequence[str], *, pretrained: bool) -> Choice:
    """The recipe called `name` (or in the JSON file of that name), else the one chosen for `samples`, with changes.

    Raises RecipeError for a name or a field that does not exist.
    """
    if name is None:
        recipe, reason = recipes.choose(samples, pretrained=pretrained)
    else:
        recipe, reason = recipes.get(name), "as asked"
    if pretrained and not recipe.model.pretrained:
        changes = ["model.pretrained=true", *changes]
    for change in changes:
        recipe = recipe.with_set(change)
    return Choice(recipe, ", ".join([reason, *changes]))
