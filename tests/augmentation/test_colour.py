"""ColorJitter and Grayscale: by hand, and against torchvision and the standard library."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.v2 import functional as F

from sightline.augmentation import ColorJitter, Grayscale
from sightline.augmentation.colour import FACTORS, STEPS, hue_turned
from sightline.errors import RecipeError
from sightline.randomness import Draws
from tests.augmentation.material import HASHES, IMAGE, Array, sizes

THEIRS = {
    "brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation,
    "hue": F.adjust_hue,
}  # fmt: skip


def row(factors: tuple[float, float, float, float], order: tuple[int, ...] = (0, 1, 2, 3)) -> Array:
    return np.array([(factors, order)], FACTORS)[0]


def test_each_step_by_hand() -> None:
    jitter = ColorJitter()
    assert np.array_equal(jitter.apply(IMAGE, row((1, 1, 1, 0))), IMAGE)
    assert np.array_equal(jitter.apply(IMAGE, row((0.5, 1, 1, 0))), np.rint(IMAGE / 2).astype(np.uint8))
    assert np.array_equal(jitter.apply(IMAGE, row((2, 1, 1, 0))), np.minimum(IMAGE * 2.0, 255).astype(np.uint8))
    grey = IMAGE @ np.array([0.299, 0.587, 0.114])
    plain = np.rint(grey)[..., None].repeat(3, 2).astype(np.uint8)
    assert np.array_equal(jitter.apply(IMAGE, row((1, 1, 0, 0))), plain)
    assert np.array_equal(jitter.apply(IMAGE, row((1, 0, 1, 0))), np.full_like(IMAGE, round(grey.mean())))


def test_steps_are_clipped_one_by_one_so_their_order_matters() -> None:
    image = np.full((2, 2, 3), 200, np.uint8)
    bright_first = ColorJitter().apply(image, row((1.5, 0.5, 1, 0), (0, 1, 2, 3)))
    assert np.array_equal(bright_first, np.full_like(image, 255))  # 300 is cut to 255, whose mean is 255
    flat_first = ColorJitter().apply(np.uint8([[[100] * 3, [250] * 3]]), row((1.2, 0.5, 1, 0), (1, 0, 2, 3)))
    assert flat_first.tolist() == [[[round(137.5 * 1.2)] * 3, [round(212.5 * 1.2)] * 3]]
    flat_last = ColorJitter().apply(np.uint8([[[100] * 3, [250] * 3]]), row((1.2, 0.5, 1, 0), (0, 1, 2, 3)))
    assert flat_last.tolist() == [[[154] * 3, [221] * 3]]  # 120 and 255 towards 187.5


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.floats(0, 2), st.floats(0, 2), st.floats(0, 2), st.floats(-0.5, 0.5)), st.permutations(range(4))
)
def test_it_is_torchvisions_on_float_images(factors: tuple[float, ...], order: list[int]) -> None:
    image = torch.from_numpy(IMAGE).permute(2, 0, 1).double() / 255
    for step in order:
        image = THEIRS[STEPS[step]](image, factors[step])
    ours = ColorJitter().apply(IMAGE.astype(np.float32), row(factors, tuple(order)))  # type: ignore[arg-type]
    # torchvision's weights of grey are 0.2989, 0.587 and 0.114, which add up to 0.9999
    assert np.abs(ours - image.permute(1, 2, 0).numpy() * 255).max() < 0.4
    whole = ColorJitter().apply(IMAGE, row(factors, tuple(order)))  # type: ignore[arg-type]
    assert np.abs(whole - ours).max() <= 0.5001


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3), st.floats(-0.5, 0.5))
def test_hue_is_that_of_the_standard_library(colour: tuple[int, int, int], turn: float) -> None:
    h, s, v = colorsys.rgb_to_hsv(*colour)
    wanted = colorsys.hsv_to_rgb((h + turn) % 1, s, v)
    got = hue_turned(np.array(colour, np.float64)[:, None], turn)[:, 0]
    assert got == pytest.approx(wanted, abs=1e-9)


def test_factors_are_uniform_and_every_order_as_likely() -> None:
    jitter = ColorJitter(brightness=0.1, contrast=0.2, saturation=0.4, hue=0.3)
    drawn = jitter.draw(Draws(0, 0, HASHES), 0, sizes(1, 1))
    away = drawn["factors"] - (1, 1, 1, 0)
    assert np.abs(away).max(axis=0) == pytest.approx([0.1, 0.2, 0.4, 0.3], rel=0.01)
    assert away.mean(axis=0) == pytest.approx([0] * 4, abs=0.01)
    assert away.std(axis=0) == pytest.approx(np.array([0.1, 0.2, 0.4, 0.3]) / np.sqrt(3), rel=0.03)
    orders, counts = np.unique(drawn["order"], axis=0, return_counts=True)
    assert len(orders) == 24
    expected = len(HASHES) / 24
    assert np.abs(counts - expected).max() < 4.5 * np.sqrt(expected)
    assert ColorJitter(hue=0).draw(Draws(0, 0, HASHES[:9]), 0, sizes(1, 1, 9))["factors"][:, 3].tolist() == [0] * 9


def test_one_channel_has_brightness_and_contrast_only() -> None:
    grey = IMAGE[..., :1]
    assert np.array_equal(ColorJitter().apply(grey, row((1, 1, 0.2, 0.3))), grey)
    assert np.array_equal(ColorJitter().apply(grey, row((0.5, 1, 1, 0))), np.rint(grey / 2).astype(np.uint8))
    assert Grayscale().apply(grey, np.bool_(True)) is grey


def test_grayscale_is_pillows() -> None:
    grey = np.asarray(Image.fromarray(IMAGE).convert("L"))
    theirs = np.asarray(F.to_grayscale(Image.fromarray(IMAGE), num_output_channels=3))
    ours = Grayscale().apply(IMAGE, np.bool_(True))
    assert np.array_equal(ours, np.dstack([grey] * 3))
    assert np.array_equal(ours, theirs)
    assert np.abs(Grayscale().apply(IMAGE.astype(np.float32), np.bool_(True)) - ours).max() < 0.51
    assert np.array_equal(Grayscale().apply(IMAGE, np.bool_(False)), IMAGE)
    assert Grayscale(p=0.3).draw(Draws(0, 0, HASHES), 0, sizes(1, 1)).mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ColorJitter(contrast=2), r"ColorJitter.contrast must be in \[0, 1\], got 2"),
        (lambda: ColorJitter(hue=0.6), r"ColorJitter.hue must be in \[0, 0.5\], got 0.6"),
        (lambda: Grayscale(p=-0.1), "Grayscale.p must be a probability"),
    ],
)
def test_mistakes_are_named(make: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()  # type: ignore[operator]
