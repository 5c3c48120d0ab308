"""Alignment: how one picture is laid over another, and how well they then agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from sightline.similarity.pictures import CHROMA, SMALL, Pictures, contrast_normalised, gaussian
from sightline.similarity.refinement import laid_over, refined

Array = np.ndarray[Any, Any]

ITERATIONS = 5
"""Steps of the alignment at each resolution."""

SMALLEST_OVERLAP = 0.25
"""Share of the picture that the other one must cover, for an agreement to say anything."""

LARGEST_SCALE = 3.0
"""Magnification between two pictures at most."""

MOST_UNEVEN = 1.6
"""Magnification along one direction by that along another at most."""


def fine(pictures: Pictures, query: Array, found: Array, warps: Array, starts: Array) -> Array:
    """Agreements float32 [n, len(AGREEMENTS)] of pictures of rows `query` laid over those of `found` as well as can be.

    `warps` float32 [n, 2, 3] are maps of the small pictures to begin with. A caption or a bar that only one of two
    photographs has draws the map away, so that `starts`, the maps that were not refined, are tried as well: that under
    which the typical cell agrees better counts. Where no plausible map is found, all are -1.
    """
    if not len(query):
        return np.empty((0, len(AGREEMENTS)), np.float32)
    rows, place = np.unique(np.concatenate([query, found]), return_inverse=True)
    of_query, of_found = place[: len(query)], place[len(query) :]
    side = pictures.side
    luminance, chroma = (p[rows].astype(np.float32) for p in (pictures.luminance, pictures.chroma))
    even = contrast_normalised(luminance, reach=0.1 if side == SMALL else 0.06)
    better, _ = refined(even, of_query, of_found, rescaled(warps, SMALL, side), ITERATIONS)
    agreements = _agreeing(luminance, chroma, of_query, of_found, better)
    if side != SMALL:  # in small pictures a cell has too few pixels to choose by
        plain = _agreeing(luminance, chroma, of_query, of_found, rescaled(starts, SMALL, side))
        typical = AGREEMENTS.index("typical")
        is_plain = plain[:, typical] > agreements[:, typical]
        agreements[is_plain] = plain[is_plain]
    return agreements


def _agreeing(luminance: Array, chroma: Array, of_query: Array, of_found: Array, warps: Array) -> Array:
    """Agreements of pictures laid over others with these maps."""
    side = luminance.shape[1]
    shape = _shape_of(warps)
    scale = shape[:, 0]
    blur = 0.5 * np.sqrt(np.maximum(np.maximum(scale, 1 / scale) ** 2 - 1, 0))
    over = _blurred(luminance[of_query], np.where(scale > 1, blur, 0))
    under = _blurred(luminance[of_found], np.where(scale < 1, blur, 0))
    laid, known = laid_over(over, np.arange(len(over)), warps)
    colours = [laid_over(chroma[:, c], of_query, rescaled(warps, side, CHROMA))[0] for c in range(2)]
    agreements = _agreements(laid, under, known, np.stack(colours, 1), chroma[of_found])
    magnified, uneven = np.abs(np.log(scale)), np.log(shape[:, 1])
    is_plausible = (magnified <= np.log(LARGEST_SCALE)) & (uneven <= np.log(MOST_UNEVEN))
    agreements[~is_plausible] = -1
    return np.concatenate([agreements, np.stack([magnified, uneven], 1)], 1).astype(np.float32)


def rescaled(warps: Array, side: int, to: int) -> Array:
    """The same maps between pictures of another side."""
    linear = warps[:, :, :2].sum(2) / 2  # pixel centres are whole numbers: a corner lies half a pixel before the first
    scaled = warps.copy()
    scaled[:, :, 2] = (warps[:, :, 2] + 0.5 - linear) * (to / side) + linear - 0.5
    return scaled


def _shape_of(warps: Array) -> Array:
    """How maps magnify (the factor), and how unevenly (largest by smallest factor): [n, 2]."""
    linear = warps[:, :, :2].astype(np.float64)
    scales = np.maximum(np.linalg.svd(linear, compute_uv=False), 1e-3)
    return np.stack([np.sqrt(scales[:, 0] * scales[:, 1]), scales[:, 0] / scales[:, 1]], 1)


def _blurred(pictures: Array, sigma: Array) -> Array:
    """Pictures blurred by about their own `sigma` pixels, in steps of a fifth of one."""
    steps = np.round(np.minimum(sigma, 2) * 5).astype(int)
    blurred = pictures.copy()
    for step in np.unique(steps[steps > 0]).tolist():
        blur = gaussian(pictures.shape[-1], step / 5)
        blur = blur / blur.sum(1, keepdims=True)
        blurred[steps == step] = blur @ pictures[steps == step] @ blur.T
    return blurred


AGREEMENTS = ("structure", "tones", "typical", "colours", "magnified", "uneven")
"""Columns of `fine`.

structure: correlation of the two, contrast evened out, where both are
tones: correlation of their luminance
typical: median over cells of the picture of the structure's correlation within the cell
colours: correlation of their colours, 0 where there is none
magnified, uneven: logarithm of the magnification, either way, and of its ratio between two directions
"""

CELLS = 4
"""Cells on each side of the picture in which agreement is looked at apart."""


def _agreements(laid: Array, under: Array, known: Array, colours: Array, colours_under: Array) -> Array:
    n, side, _ = laid.shape
    overlap = known.mean((1, 2))
    of = side // CELLS
    structure = [contrast_normalised(p, known) for p in (laid, under)]
    cells = [s.reshape(n, CELLS, of, CELLS, of).transpose(0, 1, 3, 2, 4).reshape(n, CELLS * CELLS, of * of)
             for s in structure]  # fmt: skip
    weight = known.reshape(n, CELLS, of, CELLS, of).mean((2, 4)).reshape(n, -1)
    product = np.einsum("nck,nck->nc", *cells)
    power = [np.einsum("nck,nck->nc", c, c) for c in cells]
    by_cell = product / np.sqrt(np.maximum(power[0] * power[1], 1e-6))
    by_cell = np.where(weight >= 0.5, by_cell, np.nan)
    some = np.isfinite(by_cell).any(1)
    by_cell[~some] = -1
    whole = product.sum(1) / np.sqrt(np.maximum(power[0].sum(1) * power[1].sum(1), 1e-6))
    result = np.stack(
        [
            whole, _correlation(laid, under, known), np.nanmedian(by_cell, 1),
            _correlation(colours.reshape(n, 1, -1), colours_under.reshape(n, 1, -1), np.ones((n, 1, 1), np.float32)),
        ], 1
    )  # fmt: skip
    result[overlap < SMALLEST_OVERLAP] = -1
    return result.astype(np.float32)


def _correlation(a: Array, b: Array, weight: Array) -> Array:
    """Weighted correlation of each pair, 0 where one of them does not vary."""
    weight = np.broadcast_to(weight, a.shape)
    total = np.maximum(weight.sum((1, 2), keepdims=True), 1e-6)
    x = (a - (a * weight).sum((1, 2), keepdims=True) / total) * weight
    y = (b - (b * weight).sum((1, 2), keepdims=True) / total) * weight
    spread = np.sqrt((x * x).sum((1, 2)) * (y * y).sum((1, 2)))
    return np.where(spread > 1e-3, (x * y).sum((1, 2)) / np.maximum(spread, 1e-3), 0.0)
