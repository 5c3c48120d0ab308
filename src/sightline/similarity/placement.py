"""Placement: where the middle of a picture lies in another one, and how well they agree there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.similarity.alignment import ITERATIONS, rescaled
from sightline.similarity.pictures import SMALL, Pictures, contrast_normalised
from sightline.similarity.refinement import refined
from sightline.similarity.views import VIEWS, resampling, sampling

Array = np.ndarray[Any, Any]

COARSE = 16
"""Side at which shifts are tried."""

CORE = 12
"""Side of the middle of a view that is looked for in the other picture: it can lie 2 pixels away on each side."""

MIDDLE = 24
"""Side of the middle of a small picture that is looked for in the other one without squeezing or turning it."""

MAGNIFICATIONS = (0.8, 0.9, 1.0, 1.11, 1.25)
"""Sizes at which it is looked for. With .85, 1 and 1.18 alone the recall of CIFAR-10's pool falls by .06 where "very
similar" counts as false, with seven or nine sizes it is the same."""

IS_MIRRORED = np.array([view.is_mirrored for view in VIEWS])
"""By number of the view."""


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
    agreement = everywhere(templates, whole, found).reshape(n, -1)
    best = agreement.argmax(1)
    shift = np.stack([best % steps, best // steps], 1).astype(np.int8) - (COARSE - CORE) // 2
    return Coarse(agreement=agreement[np.arange(n), best], shift=shift)


def started(view: Array, shift: Array) -> Array:
    """The maps from found pictures to the query's that views and shifts stand for, in small pixels: [n, 2, 3]."""
    warps = np.stack([v.warp(SMALL) for v in VIEWS])[view]
    warps[:, :, 2] -= (warps[:, :, :2] @ (shift.astype(np.float32) * (SMALL / COARSE))[..., None])[..., 0]
    return warps


def rigid(pictures: Pictures, query: Array, found: Array, view: Array) -> Array:
    """Correlation float32 [n] of the middle of small pictures `query` with those of `found`: best place, best size.

    Mirrored where the view, a number in VIEWS, is. An affine map has six numbers with which two lookalikes can be made
    to agree; this has three.
    """
    rows, place = np.unique(np.concatenate([query, found]), return_inverse=True)
    even = contrast_normalised(pictures.small[rows].astype(np.float32))
    of_query, of_found = place[: len(query)], place[len(query) :]
    is_mirrored, best = IS_MIRRORED[view], np.full(len(query), -1, np.float32)
    for magnification in MAGNIFICATIONS:
        extent = MIDDLE / (SMALL * magnification)
        lines = sampling((1 - extent) / 2, extent, SMALL, MIDDLE).astype(np.float32)
        middle = (lines @ even @ lines.T)[of_query]
        middle[is_mirrored] = middle[is_mirrored, :, ::-1]
        np.maximum(best, everywhere(middle, even, of_found).max((1, 2)), out=best)
    return best


def everywhere(templates: Array, whole: Array, found: Array) -> Array:
    """Correlation of templates [n, k, k] with rows `found` of wholes [m, s, s], at all places: [n, s - k + 1, …]."""
    from scipy.fft import irfft2, rfft2  # several times as quick as NumPy's, which fills with zeros beforehand

    core, side = templates.shape[1], whole.shape[1]
    steps = side - core + 1
    even = templates - templates.mean((1, 2), keepdims=True)
    even /= np.maximum(np.linalg.norm(even, axis=(1, 2), keepdims=True), 1e-6)
    # By Fourier transforms: no place that is asked for wraps around. Sums over each window of 24 pixels took four
    # to six times as long.
    spectra = np.conj(rfft2(even, (side, side)))
    spectra *= rfft2(whole)[found]
    agreement = irfft2(spectra, (side, side))[:, :steps, :steps]
    return np.asarray(agreement / _deviations(whole, core)[found], np.float32)


def _deviations(pictures: Array, core: int) -> Array:
    """Root of the summed squares about the mean in every window of `core` pixels' side: [m, s - core + 1, …]."""
    start = np.arange(pictures.shape[1] - core + 1)[:, None]
    place = np.arange(pictures.shape[1])
    window = ((place >= start) & (place < start + core)).astype(np.float32)
    sums, squares = (window @ values @ window.T for values in (pictures, pictures * pictures))
    return np.asarray(np.sqrt(np.maximum(squares - sums * sums / core**2, 1e-6)))
