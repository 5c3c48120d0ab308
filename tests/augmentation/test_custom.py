"""One's own transforms: wrapped, named, recorded with their source, refused where no file could name them."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import recipes
from sightline.augmentation import Augmentation, Custom, RandomHorizontalFlip
from sightline.errors import RecipeError
from sightline.randomness import Draws, generator, generator_of
from sightline.recipes import Recipe
from tests.augmentation.material import HASHES, IMAGE, Array, sizes, speckled

HERE = "tests.augmentation.material:speckled"
SOURCE = """
def darker(image, rng):
    return (image * rng.uniform(0.5, 1)).astype(image.dtype)

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of one's own in the folder where one is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "my_transforms_1.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("my_transforms_1", None)
    importlib.invalidate_caches()


def recipe_with(*transforms: Any) -> Recipe:
    return replace(recipes.get("photo.scratch"), augmentation=Augmentation(transforms=transforms))


def test_a_function_in_the_list_is_wrapped_and_gets_an_image_and_a_generator_of_the_sample() -> None:
    augmentation = Augmentation(transforms=(RandomHorizontalFlip(), speckled))
    custom = augmentation.transforms[1]
    assert custom == Custom(function=speckled) == Custom(function=HERE)
    keys = augmentation.draw(Draws(3, 1, HASHES[:5]), 1, sizes(19, 24, 5))
    outs = [custom.apply(IMAGE, key) for key in keys]
    for key, out in zip(keys, outs, strict=True):
        assert np.array_equal(out, speckled(IMAGE, generator_of(key)))
    assert len({out.tobytes() for out in outs}) == 5
    assert np.array_equal(outs[2], speckled(IMAGE, generator(3, 1, int(HASHES[2]), 64)))


def test_a_recipe_holds_its_name_and_the_digest_of_its_source() -> None:
    recipe = recipe_with(speckled)
    data = json.loads(json.dumps(recipe.to_json()))
    path = Path(sys.modules["tests.augmentation.material"].__file__ or "")
    wanted = {"type": "Custom", "function": HERE, "source": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert data["augmentation"]["transforms"] == [wanted]
    back = Recipe.from_json(data)
    assert back == recipe
    assert back.digest == recipe.digest


def test_lambdas_and_inner_functions_work_but_not_in_a_recipe() -> None:
    def inverted(image: Array, rng: np.random.Generator) -> Array:
        return 255 - image

    key = Draws(0, 0, HASHES[:1]).keys(0)[0]
    for function in (inverted, lambda image, rng: 255 - image, functools.partial(inverted)):
        augmentation = Augmentation(transforms=(function,))
        assert np.array_equal(augmentation.transforms[0].apply(IMAGE, key), 255 - IMAGE)
        with pytest.raises(RecipeError, match="no recipe can say what it is"):
            recipe_with(function)


def test_a_name_is_looked_up_at_first_use_and_not_before(own: Path) -> None:
    custom = Custom(function="my_transforms_1:darker")
    assert custom.source == hashlib.sha256(own.read_bytes()).hexdigest()
    recipe = Recipe.from_json(recipe_with(custom).to_json())
    assert "my_transforms_1" not in sys.modules
    out = recipe.augmentation.transforms[0].apply(IMAGE, Draws(0, 0, HASHES[:1]).keys(0)[0])
    assert out.mean() < IMAGE.mean()
    assert recipe.augmentation.transforms[0] == Custom(function=sys.modules["my_transforms_1"].darker)


def test_a_file_that_changed_is_refused_until_the_transform_is_set_anew(own: Path) -> None:
    custom = Custom(function="my_transforms_1:darker")
    own.write_text(SOURCE + "# another line\n")
    with pytest.raises(RecipeError, match=r"my_transforms_1:darker has changed: .* Restore that file, or set"):
        custom.apply(IMAGE, Draws(0, 0, HASHES[:1]).keys(0)[0])
    assert "my_transforms_1" not in sys.modules
    again = Custom(function="my_transforms_1:darker")
    assert again != custom
    again.apply(IMAGE, Draws(0, 0, HASHES[:1]).keys(0)[0])


def test_a_recipe_can_be_read_where_the_module_is_not(own: Path) -> None:
    data = recipe_with(Custom(function="my_transforms_1:darker")).to_json()
    own.unlink()
    importlib.invalidate_caches()
    recipe = Recipe.from_json(data)
    with pytest.raises(RecipeError, match="there is no module 'my_transforms_1'"):
        recipe.augmentation.transforms[0].apply(IMAGE, Draws(0, 0, HASHES[:1]).keys(0)[0])


def test_it_survives_pickling_into_worker_processes() -> None:
    custom = pickle.loads(pickle.dumps(Custom(function=speckled)))
    key = Draws(0, 0, HASHES[:1]).keys(0)[0]
    assert np.array_equal(custom.apply(IMAGE, key), Custom(function=HERE).apply(IMAGE, key))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image, rng: image.astype(float), "returned a float64 array of 19 × 24 × 3, wanted a uint8 array of 19"),
        (lambda image, rng: image[:5], "returned a uint8 array of 5 × 24 × 3, wanted"),
        (lambda image, rng: None, "returned a NoneType, wanted"),
        (lambda image: image, r"failed on a uint8 array of 19 × 24 × 3: TypeError: .*called with \(image, rng\)"),
        (lambda image, rng: 1 / 0, "failed on a .*ZeroDivisionError"),
    ],
)
def test_what_a_function_may_not_do_is_said(function: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Custom(function=function).apply(IMAGE, Draws(0, 0, HASHES[:1]).keys(0)[0])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("no_such_module_1:f", "there is no module 'no_such_module_1'"),
        ("sightline.no_such:f", "there is no module 'sightline.no_such'"),
        ("my_transforms_1", "must be module:function"),
        ("os:system('x')", "must be module:function"),
        (3, "a function of .*, got 3"),
        (RandomHorizontalFlip, "a function of .*, got <class"),
    ],
)
def test_names_that_mean_nothing_are_refused_at_birth(function: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Custom(function=function)


def test_names_of_other_things_are_refused_at_first_use(own: Path) -> None:
    key = Draws(0, 0, HASHES[:1]).keys(0)[0]
    with pytest.raises(RecipeError, match="is a int, wanted a function"):
        Custom(function="my_transforms_1:number").apply(IMAGE, key)
    with pytest.raises(RecipeError, match="no attribute 'lighter'"):
        Custom(function="my_transforms_1:lighter").apply(IMAGE, key)


def test_what_a_function_does_to_its_copy_stays_its_own() -> None:
    def blackened(image: Array, rng: np.random.Generator) -> Array:
        image[:] = 0
        return image

    image = IMAGE.copy()
    assert not Custom(function=blackened).apply(image[:, ::-1], Draws(0, 0, HASHES[:1]).keys(0)[0]).any()
    assert np.array_equal(image, IMAGE)
