"""Alignment: how one picture is laid over another, and how well they then agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.similarity.pictures import CHROMA, SMALL, Pictures, contrast_normalised, gaussian
from sightline.similarity.refinement import laid_over, refined
from sightline.similarity.views import VIEWS, resampling

Array = np.ndarray[Any, Any]

COARSE = 16
"""Side at which shifts are tried."""

CORE = 12
"""Side of the middle of a view that is looked for in the other picture: it can lie 2 pixels away on each side."""

ITERATIONS = 5
"""Steps of the alignment at each resolution."""

SMALLEST_OVERLAP = 0.25
"""Share of the picture that the other one must cover, for an agreement to say anything."""

LARGEST_SCALE = 3.0
"""Magnification between two pictures at most."""

MOST_UNEVEN = 1.6
"""Magnification along one direction by that along another at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Coarse:
    """How well the middle of a view agrees with the other picture, at the best shift."""

    agreement: Array
    """Correlation of the two, contrast evened out, float32 [n], -1 … 1."""
    shift: Array
    """Where the view lies in the other picture, in its pixels of the coarse side: x and y, int8 [n, 2]."""


class CoarseAligner:
    """Tries all shifts of a view, for many pairs at once."""

    def __init__(self) -> None:
        self._views = [resampling(view, SMALL, COARSE).astype(np.float32) for view in VIEWS]
        self._whole = self._views[0]

    def align(self, pictures: Pictures, query: Array, found: Array, view: Array) -> Coarse:
        """Agreement of view `view` of row `query` with row `found`, for each pair."""
        rows, place = np.unique(np.concatenate([query, found]), return_inverse=True)
        small = pictures.small[rows].astype(np.float32)
        even = contrast_normalised(small).reshape(len(rows), -1)
        templates = np.empty((len(query), CORE, CORE), np.float32)
        margin = (COARSE - CORE) // 2
        for v in np.unique(view).tolist():
            of = np.flatnonzero(view == v)
            views = (even[place[of]] @ self._views[v]).reshape(-1, COARSE, COARSE)
            templates[of] = views[:, margin:-margin, margin:-margin]
        whole = (even @ self._whole).reshape(-1, COARSE, COARSE)
        return _best_shift(templates, whole, place[len(query) :])

    def refine(self, pictures: Pictures, query: Array, found: Array, warps: Array) -> tuple[Array, Array]:
        """The maps made better at the coarse side, and the agreement they reach: warps [n, 2, 3], float32 [n]."""
        rows, place = np.unique(np.concatenate([query, found]), return_inverse=True)
        even = contrast_normalised(pictures.small[rows].astype(np.float32))
        of = SMALL // COARSE
        even = even.reshape(len(rows), COARSE, of, COARSE, of).mean((2, 4))
        coarse = rescaled(warps, SMALL, COARSE)
        coarse, agreement = refined(even, place[: len(query)], place[len(query) :], coarse, ITERATIONS)
        return rescaled(coarse, COARSE, SMALL), agreement


def _best_shift(templates: Array, whole: Array, found: Array) -> Coarse:
    """Of all places of the template in the whole the one of highest correlation."""
    n, steps = len(templates), COARSE - CORE + 1
    flat = templates.reshape(n, -1)
    flat = flat - flat.mean(1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    templates = flat.reshape(templates.shape)
    windows = np.lib.stride_tricks.sliding_window_view(whole, (CORE, CORE), axis=(1, 2))
    sums, squares = windows.sum((3, 4)), np.einsum("nijkl,nijkl->nij", windows, windows)
    deviation = np.sqrt(np.maximum(squares - sums * sums / CORE**2, 1e-6))
    agreement = np.empty((n, steps, steps), np.float32)
    of = whole[found]
    for y in range(steps):
        for x in range(steps):
            agreement[:, y, x] = np.einsum("nkl,nkl->n", templates, of[:, y : y + CORE, x : x + CORE])
    agreement /= deviation[found]
    best = agreement.reshape(n, -1).argmax(1)
    shift = np.stack([best % steps, best // steps], 1).astype(np.int8) - (COARSE - CORE) // 2
    return Coarse(agreement=agreement.reshape(n, -1)[np.arange(n), best], shift=shift)


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
    magnified, uneven, turned = np.abs(np.log(scale)), np.log(shape[:, 1]), np.abs(shape[:, 2])
    is_plausible = (magnified <= np.log(LARGEST_SCALE)) & (uneven <= np.log(MOST_UNEVEN))
    agreements[~is_plausible] = -1
    return np.concatenate([agreements, np.stack([magnified, uneven, turned], 1)], 1).astype(np.float32)


def started(view: Array, shift: Array) -> Array:
    """The maps from found pictures to the query's that views and shifts stand for, in small pixels: [n, 2, 3]."""
    warps = np.stack([v.warp(SMALL) for v in VIEWS])[view]
    warps[:, :, 2] -= (warps[:, :, :2] @ (shift.astype(np.float32) * (SMALL / COARSE))[..., None])[..., 0]
    return warps


def rescaled(warps: Array, side: int, to: int) -> Array:
    """The same maps between pictures of another side."""
    linear = warps[:, :, :2].sum(2) / 2  # pixel centres are whole numbers: a corner lies half a pixel before the first
    scaled = warps.copy()
    scaled[:, :, 2] = (warps[:, :, 2] + 0.5 - linear) * (to / side) + linear - 0.5
    return scaled


def _shape_of(warps: Array) -> Array:
    """How maps magnify (the factor), how unevenly (largest by smallest factor) and turn (radians): [n, 3]."""
    linear = warps[:, :, :2].astype(np.float64)
    linear[np.linalg.det(linear) < 0, :, 0] *= -1
    scales = np.maximum(np.linalg.svd(linear, compute_uv=False), 1e-3)
    turned = np.arctan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1])
    return np.stack([np.sqrt(scales[:, 0] * scales[:, 1]), scales[:, 0] / scales[:, 1], turned], 1)


def _blurred(pictures: Array, sigma: Array) -> Array:
    """Pictures blurred by about their own `sigma` pixels, in steps of a fifth of one."""
    steps = np.round(np.minimum(sigma, 2) * 5).astype(int)
    blurred = pictures.copy()
    for step in np.unique(steps[steps > 0]).tolist():
        blur = gaussian(pictures.shape[-1], step / 5)
        blur = blur / blur.sum(1, keepdims=True)
        blurred[steps == step] = blur @ pictures[steps == step] @ blur.T
    return blurred


AGREEMENTS = ("structure", "tones", "typical", "worst", "colours", "overlap", "magnified", "uneven", "turned")
"""Columns of `fine`.

structure: correlation of the two, contrast evened out, where both are
tones: correlation of their luminance
typical: median over cells of the picture of the structure's correlation within the cell
worst: lower quartile of the same
colours: correlation of their colours, 0 where there is none
overlap: share of the picture where both are
magnified, uneven: logarithm of the magnification, either way, and of its ratio between directions
turned: angle in radians, either way
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
            whole, _correlation(laid, under, known), np.nanmedian(by_cell, 1), np.nanquantile(by_cell, 0.25, axis=1),
            _correlation(colours.reshape(n, 1, -1), colours_under.reshape(n, 1, -1), np.ones((n, 1, 1), np.float32)),
            overlap,
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
