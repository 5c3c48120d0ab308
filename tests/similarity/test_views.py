"""Views: a linear map and an affine one that mean the same."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.similarity.views import VIEWS, View, resampling


def test_whole_view_is_the_picture() -> None:
    picture = np.random.default_rng(0).random((8, 8))
    whole, mirrored = VIEWS[0], VIEWS[1]
    np.testing.assert_allclose(picture.ravel() @ resampling(whole, 8, 8), picture.ravel())
    np.testing.assert_allclose(picture.ravel() @ resampling(mirrored, 8, 8), picture[:, ::-1].ravel())


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_maps_agree(view: View) -> None:
    """On pictures that rise evenly, a resampled view has the values of the places that the affine map names."""
    side = 32
    y, x = np.mgrid[:side, :side].astype(float)
    warp = view.warp(side).astype(float)
    places = warp[:, :2] @ np.stack([x.ravel(), y.ravel()]) + warp[:, 2:]
    inside = ((places > 1) & (places < side - 2)).all(0)  # at the border the triangle leans inwards
    assert inside.sum() > 500
    matrix = resampling(view, side, side)
    for picture, place in ((x, places[0]), (y, places[1])):
        np.testing.assert_allclose((picture.ravel() @ matrix)[inside], place[inside], atol=1e-6)


def test_views_cover_parts_of_their_size() -> None:
    for scale in (0.8, 0.6):
        places = sorted({v.left for v in VIEWS if v.scale == scale})
        assert places[0] == 0
        assert places[-1] == pytest.approx(1 - scale)
        assert max(np.diff(places)) / 2 <= scale / 9 + 1e-3
