"""Alignment: maps between pictures are found again, and say the same at every size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.similarity.alignment import rescaled
from sightline.similarity.pictures import contrast_normalised
from sightline.similarity.refinement import laid_over, refined
from tests.similarity.photographs import photograph, shown

SOME = settings(max_examples=25, deadline=None)
SIDE = 32
IDENTITY = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)


def even(seed: int) -> np.ndarray:
    grey = shown([photograph(seed)], SIDE).pictures.astype(np.float32).mean(3)
    return contrast_normalised(grey, reach=0.2)


@SOME
@given(st.integers(0, 30), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(0.92, 1.08), st.floats(-0.07, 0.07))
def test_a_small_move_is_found_again(seed: int, dx: float, dy: float, scale: float, turn: float) -> None:
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.full(2, (SIDE - 1) / 2)
    offset = centre + np.array([dx, dy]) - linear @ centre
    warp = np.concatenate([linear, offset[:, None]], 1)[None].astype(np.float32)
    picture = even(seed)
    moved = laid_over(picture, np.array([0]), warp)[0]
    found, agreement = refined(np.concatenate([picture, moved]), np.array([0]), np.array([1]), IDENTITY, 15)
    assert agreement[0] > 0.95
    corners = np.array([[4, 4, 1], [27, 4, 1], [4, 27, 1], [27, 27, 1]], np.float32).T
    np.testing.assert_allclose(found[0] @ corners, warp[0] @ corners, atol=0.7)


def test_refinement_never_makes_worse() -> None:
    pictures = np.concatenate([even(i) for i in range(6)])
    picture, template = np.repeat(np.arange(6), 6), np.tile(np.arange(6), 6)
    warps = np.repeat(IDENTITY, 36, 0)
    before, after = (refined(pictures, picture, template, warps, n)[1] for n in (0, 8))
    assert (after >= before - 1e-6).all()
    assert after[picture == template].min() > 0.999


@SOME
@given(st.lists(st.floats(-2, 2, width=32), min_size=6, max_size=6), st.sampled_from([8, 16, 64]))
def test_rescaled_maps_say_the_same(values: list[float], side: int) -> None:
    warp = np.array(values, np.float32).reshape(1, 2, 3)
    np.testing.assert_allclose(rescaled(rescaled(warp, SIDE, side), side, SIDE), warp, atol=1e-3)
    corner, wanted = (np.array([[-0.5], [-0.5], [1]], np.float32), -0.5)
    np.testing.assert_allclose(
        (rescaled(warp, SIDE, side)[0] @ corner - wanted) * SIDE / side, warp[0] @ corner - wanted, atol=1e-3
    )


def test_light_and_contrast_are_evened_out() -> None:
    grey = shown([photograph(3)], 64).pictures.astype(np.float32).mean(3) / 2
    slope = np.linspace(0, 60, 64, dtype=np.float32)
    a, b = contrast_normalised(grey), contrast_normalised(1.9 * grey + slope)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97


def test_what_is_masked_counts_for_nothing() -> None:
    grey = shown([photograph(4)], SIDE).pictures.astype(np.float32).mean(3)
    mask = np.ones_like(grey)
    mask[:, :, :10] = 0
    other = grey.copy()
    other[:, :, :10] = 255
    np.testing.assert_allclose(contrast_normalised(grey, mask), contrast_normalised(other, mask), atol=1e-3)
    assert contrast_normalised(grey, mask)[:, :, :10].any() == pytest.approx(0)
