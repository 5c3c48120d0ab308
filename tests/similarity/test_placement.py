"""Placement: the middle of a picture is found where it lies, moved, magnified and mirrored, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sightline.similarity.pictures import Pictures
from sightline.similarity.placement import CoarseAligner, everywhere, rigid, started
from sightline.similarity.refinement import laid_over
from sightline.similarity.views import VIEWS
from tests.similarity.photographs import photograph, shown

SOME = settings(max_examples=25, deadline=None)
ONE, TWO = np.array([0]), np.array([1])


def pair(picture: Image.Image, other: Image.Image) -> Pictures:
    return Pictures.of(shown([picture, other], 32))


def part(picture: Image.Image, share: float, left: float, top: float) -> Image.Image:
    side = picture.width * share
    x, y = (picture.width - side) * left, (picture.width - side) * top
    return picture.resize(picture.size, Image.Resampling.BICUBIC, (x, y, x + side, y + side))


@SOME
@given(st.integers(0, 2**32), st.sampled_from([(6, 4), (16, 12), (32, 24)]))
def test_correlations_are_those_of_every_window(seed: int, sides: tuple[int, int]) -> None:
    side, core = sides
    rng = np.random.default_rng(seed)
    templates, wholes = rng.normal(3, 2, (5, core, core)), rng.normal(-1, 4, (3, side, side))
    found = rng.integers(0, 3, 5)
    told = everywhere(templates.astype(np.float32), wholes.astype(np.float32), found)
    for i, y, x in np.ndindex(told.shape):
        window = wholes[found[i], y : y + core, x : x + core]
        assert told[i, y, x] == pytest.approx(np.corrcoef(templates[i].ravel(), window.ravel())[0, 1], abs=1e-4)
    assert told.shape == (5, side - core + 1, side - core + 1)


@SOME
@given(st.integers(0, 30), st.floats(0.8, 1), st.floats(0.2, 0.8), st.floats(0.2, 0.8), st.booleans())
def test_a_part_agrees_and_another_photograph_does_not(
    seed: int, share: float, left: float, top: float, is_mirrored: bool
) -> None:
    picture = photograph(seed)
    copy = part(ImageOps.mirror(picture) if is_mirrored else picture, share, left, top)
    view = np.array([int(is_mirrored)])  # the whole, upright or mirrored
    same = rigid(pair(copy, picture), ONE, TWO, view)[0]
    assert same > 0.7
    assert rigid(pair(copy, photograph(seed + 100)), ONE, TWO, view)[0] < same - 0.2
    assert rigid(pair(copy, picture), ONE, TWO, 1 - view)[0] < same - 0.2


@pytest.mark.parametrize("view", range(0, len(VIEWS), 7))
def test_a_view_is_placed_where_it_lies(view: int) -> None:
    picture, seen = photograph(5), VIEWS[view]
    copy = picture.crop(tuple(round(v * picture.width) for v in (
        seen.left, seen.top, seen.left + seen.scale, seen.top + seen.scale)))  # fmt: skip
    pictures = pair(picture, ImageOps.mirror(copy) if seen.is_mirrored else copy)
    placed = CoarseAligner().align(pictures, ONE, TWO, np.array([view], np.int8))
    assert placed.agreement[0] > 0.8
    assert np.abs(placed.shift).max() <= 1
    warps = started(np.array([view]), placed.shift)
    laid, known = laid_over(pictures.small[:1].astype(np.float32), ONE, warps)
    inside = known[0] > 0
    assert np.corrcoef(laid[0][inside], pictures.small[1].astype(float)[inside])[0, 1] > 0.8
