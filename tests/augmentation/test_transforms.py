"""What every transform keeps: it is pure in (seed, epoch, sample), leaves its argument alone, and survives JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline import recipes
from sightline.augmentation import (
    MIXINGS,
    TRANSFORMS,
    Augmentation,
    AutoAugment,
    CenterCrop,
    ColorJitter,
    Custom,
    CutMix,
    Grayscale,
    MixUp,
    PadCrop,
    RandAugment,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    Transform,
    TrivialAugment,
)
from sightline.errors import RecipeError
from sightline.randomness import Draws
from sightline.recipes import Recipe
from tests.augmentation.material import HASHES, IMAGE, sizes, speckled

DETERMINISTIC = (Resize, CenterCrop)
NEEDED = {
    PadCrop: {"padding": 2}, Resize: {"size": (9, 7)}, CenterCrop: {"size": (9, 7)}, Custom: {"function": speckled},
}  # fmt: skip
DEFAULTS: list[Transform] = [kind(**NEEDED.get(kind, {})) for kind in TRANSFORMS]
OTHERS: list[Transform] = [
    Resize(size=20, interpolation="bicubic"), CenterCrop(size=8), ColorJitter(hue=0.2),
    RandAugment(num_ops=3, magnitude=30, interpolation="bilinear", fill=(9, 8, 7)), TrivialAugment(fill=128),
    AutoAugment(policy="cifar10"), AutoAugment(policy="svhn", interpolation="bicubic"),
    RandomErasing(p=1, value="random"), RandomErasing(p=1, value=(0.5, -1.0, 2.0)),
]  # fmt: skip


@pytest.mark.parametrize("transform", DEFAULTS + OTHERS, ids=repr)
def test_parameters_belong_to_the_sample_not_to_its_batch(transform: Transform) -> None:
    whole = transform.draw(Draws(1, 2, HASHES[:40]), 64, sizes(30, 20, 40))
    alone = [transform.draw(Draws(1, 2, HASHES[i : i + 1]), 64, sizes(30, 20, 1))[0] for i in range(40)]
    assert len(whole) == 40
    assert np.array_equal(whole, np.stack(alone))
    is_random = not isinstance(transform, DETERMINISTIC)
    for seed, epoch, stream in ((1, 3, 64), (2, 2, 64), (1, 2, 128)):
        other = transform.draw(Draws(seed, epoch, HASHES[:40]), stream, sizes(30, 20, 40))
        assert is_random == (not np.array_equal(whole, other))


def kinds_of_image(transform: Transform) -> list[tuple[type, int]]:
    """Types and numbers of channels that a transform takes."""
    is_of_three = any(isinstance(getattr(transform, name, 0), tuple) for name in ("fill", "value"))
    types = (np.float32,) if transform.is_normalized else (np.uint8, np.float32)
    return [(dtype, channels) for dtype in types for channels in ((3,) if is_of_three else (1, 3))]


@pytest.mark.parametrize(
    ("transform", "dtype", "channels"),
    [(t, *kind) for t in DEFAULTS + OTHERS for kind in kinds_of_image(t)],
    ids=lambda v: getattr(v, "__name__", repr(v)),
)
def test_applying_changes_no_argument_and_keeps_type_and_range(
    transform: Transform, dtype: type, channels: int
) -> None:
    image = IMAGE[..., :channels].astype(dtype)
    before = image.copy()
    for p in transform.draw(Draws(0, 0, HASHES[:40]), 0, sizes(*IMAGE.shape[:2], 40)):
        out = transform.apply(image, p)
        assert out.dtype == dtype
        assert out.shape[2] == channels
        assert transform.is_normalized or (out.min() >= 0 and out.max() <= 255)
        assert isinstance(transform.describe(p), str)
    assert np.array_equal(image, before)


# The upper left and the middle pixel of IMAGE for three samples, and what was told of the first.
GOLDEN: dict[str, tuple[list[list[int]], str]] = {
    "RandomResizedCrop": (
        [[162, 140, 101], [25, 211, 52], [83, 184, 109], [106, 102, 58], [217, 214, 217], [101, 44, 74]],
        "crop 15 × 12 at (4, 1)",
    ),
    "Resize": (
        [[78, 126, 205], [82, 97, 138], [78, 126, 205], [82, 97, 138], [78, 126, 205], [82, 97, 138]],
        "",
    ),
    "CenterCrop": (
        [[131, 202, 242], [62, 106, 143], [131, 202, 242], [62, 106, 143], [131, 202, 242], [62, 106, 143]],
        "",
    ),
    "RandomHorizontalFlip": (
        [[255, 229, 154], [62, 106, 143], [255, 229, 154], [62, 106, 143], [61, 115, 220], [97, 75, 141]],
        "mirrored",
    ),
    "AlternatingFlip": (
        [[255, 229, 154], [62, 106, 143], [61, 115, 220], [97, 75, 141], [61, 115, 220], [97, 75, 141]],
        "mirrored",
    ),
    "PadCrop": (
        [[75, 130, 201], [56, 150, 199], [75, 130, 201], [56, 150, 199], [68, 118, 213], [131, 52, 140]],
        "moved +1 down, +2 right",
    ),
    "RandomAffine": (
        [[13, 24, 45], [39, 67, 66], [0, 0, 0], [108, 33, 110], [68, 98, 124], [39, 89, 61]],
        "turned -3°, × 0.91, moved -2 down, +0 right",
    ),
    "ColorJitter": (
        [[72, 108, 180], [96, 81, 126], [72, 104, 166], [91, 78, 117], [40, 112, 251], [91, 62, 149]],
        "brightness × 0.90, saturation × 1.02, contrast × 0.74",
    ),
    "Grayscale": (
        [[111, 111, 111], [89, 89, 89], [111, 111, 111], [89, 89, 89], [111, 111, 111], [89, 89, 89]],
        "grey",
    ),
    "RandAugment": (
        [[95, 128, 162], [40, 55, 62], [105, 130, 200], [70, 8, 63], [47, 116, 249], [98, 72, 153]],
        "TranslateY -2.58, Color -0.27",
    ),
    "TrivialAugment": (
        [[0, 0, 0], [140, 118, 203], [216, 161, 65], [87, 100, 60], [21, 118, 255], [103, 63, 182]],
        "TranslateY 2.13",
    ),
    "AutoAugment": (
        [[0, 0, 0], [158, 180, 114], [84, 95, 255], [217, 32, 255], [87, 97, 255], [222, 33, 255]],
        "Rotate 10, Solarize 0.111",
    ),
    "Custom": (
        [[61, 115, 220], [97, 75, 141], [0, 0, 0], [0, 0, 0], [0, 0, 0], [97, 75, 141]],
        "",
    ),
    "RandomErasing": (
        [[61, 115, 220], [97, 75, 141], [61, 115, 220], [97, 75, 141], [61, 115, 220], [97, 75, 141]],
        "erased 5 × 12 at (12, 1)",
    ),
}


SHOWN = [replace(t, p=1.0) if isinstance(t, Grayscale | RandomErasing) else t for t in DEFAULTS]


@pytest.mark.parametrize("transform", SHOWN, ids=lambda t: type(t).__name__)
def test_golden_pixels(transform: Transform) -> None:
    rows = transform.draw(Draws(7, 3, HASHES[:3]), 0, sizes(*IMAGE.shape[:2], 3))
    images = [transform.apply(IMAGE.astype(np.float32) if transform.is_normalized else IMAGE, p) for p in rows]
    places = [(x, place) for x in images for place in ((0, 0), (x.shape[0] // 2, x.shape[1] // 2))]
    pixels = [np.rint(x[place]).astype(int).tolist() for x, place in places]
    assert (pixels, transform.describe(rows[0])) == GOLDEN[type(transform).__name__]


def test_every_transform_and_mixing_survives_json_in_a_recipe() -> None:
    base = recipes.get("photo.scratch")
    lists = [(t,) for t in (*DEFAULTS, *OTHERS) if t != Resize(size=20, interpolation="bicubic")]
    lists.append((Resize(size=20, interpolation="bicubic"), CenterCrop(size=20), RandomHorizontalFlip()))
    mixings = [(), tuple(kind() for kind in MIXINGS), (MixUp(alpha=0.5),)]
    digests = set()
    for transforms in lists:
        for mixing in mixings:
            recipe = replace(base, augmentation=Augmentation(transforms=transforms, mixing=mixing))
            back = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
            assert back == recipe
            assert back.digest == recipe.digest
            digests.add(recipe.digest)
    assert len(digests) == len(lists) * len(mixings)


def test_text_on_the_command_line_makes_transforms() -> None:
    recipe = recipes.get("photo.scratch").with_set(
        "augmentation=Augmentation(transforms=(RandomResizedCrop, RandAugment(magnitude=5)), mixing=(CutMix,))"
    )
    wanted = Augmentation(transforms=(RandomResizedCrop(), RandAugment(magnitude=5)), mixing=(CutMix(),))
    assert recipe.augmentation == wanted
    with pytest.raises(RecipeError, match=r"RandomErasing cannot be made of p='often': '<=' not supported"):
        recipe.with_set("augmentation=Augmentation(transforms=(RandomErasing(p=often),))")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Augmentation(transforms=("flip",)), "RandomResizedCrop | .*, got 'flip'"),
        (lambda: Augmentation(transforms=(RandomHorizontalFlip,)), "or a function of .*, got <class"),
        (lambda: Augmentation(transforms=RandomHorizontalFlip()), "a tuple of transforms, got RandomHorizontalFlip"),
        (lambda: Augmentation(mixing=(Grayscale(),)), "a tuple of MixUp | CutMix"),
        (lambda: Augmentation(mixing=MixUp()), "a tuple of MixUp | CutMix"),
        (lambda: Augmentation(transforms=(RandomHorizontalFlip(), Resize(size=9))), "must be first"),
        (lambda: Augmentation(transforms=(RandomResizedCrop(), CenterCrop(size=9))), "must be first"),
        (lambda: Augmentation(transforms=(Resize(size=9), RandomResizedCrop())), "must be first"),
        (lambda: Augmentation(transforms=(Resize(size=9), RandomHorizontalFlip())), "followed by CenterCrop"),
        (lambda: Augmentation(transforms=(RandomErasing(), RandomHorizontalFlip())), "must be last"),
    ],
)
def test_mistakes_in_a_list_are_named(make: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()  # type: ignore[operator]


def test_framing_is_what_leads() -> None:
    assert Augmentation(transforms=(RandomHorizontalFlip(),)).framing == ()
    assert Augmentation().framed_size is None
    both = Augmentation(transforms=(Resize(size=40), CenterCrop(size=(32, 24)), RandomHorizontalFlip()))
    assert both.framing == (Resize(size=40), CenterCrop(size=(32, 24)))
    assert both.framed_size == (32, 24)
    assert both.view is None
    squashed = Augmentation(transforms=(Resize(size=(30, 20)), ColorJitter()))
    assert squashed.framed_size == (30, 20)


def test_the_page_names_every_value_with_its_settings() -> None:
    page = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text("utf-8")
    for kind in (*TRANSFORMS, *MIXINGS):
        assert f"`{kind.__name__}(" in page or f"{kind.__name__}(alpha" in page, kind
        for f in dataclasses.fields(kind):
            assert re.search(rf"\b{f.name}\b", page), (kind, f.name)
