"""Refinement: affine alignment of many small pictures at once."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CHUNK = 1024
"""Pairs worked on at a time, so that what is worked on stays in the processor's cache."""

DAMPING = 1e-3
"""Added to the diagonal of each system, as a share of its mean: a picture of parallel lines has no place along them."""

LONGEST_STEP = 2.0
"""Pixels that a step moves the picture by at most."""


def refined(pictures: Array, picture: Array, template: Array, warps: Array, iterations: int) -> tuple[Array, Array]:
    """Affine maps that lay pictures over templates better than the given ones, and the correlation they reach.

    `pictures` float32 [m, s, s]; `picture` and `template` are numbers of them, [n]; `warps` float32 [n, 2, 3] map
    pixels of the template to pixels of the picture. Correlation float32 [n] is over the part where both are.
    Inverse compositional Gauss-Newton (Baker and Matthews 2004) on pictures brought to mean 0 and norm 1.
    """
    parts = [slice(i, i + CHUNK) for i in range(0, len(picture), CHUNK)]
    done = [_refined(pictures, picture[p], template[p], warps[p], iterations) for p in parts]
    if not done:
        return warps.copy(), np.empty(0, np.float32)
    return np.concatenate([d[0] for d in done]), np.concatenate([d[1] for d in done])


def _refined(pictures: Array, picture: Array, template: Array, warps: Array, iterations: int) -> tuple[Array, Array]:
    side = pictures.shape[1]
    grid = _grid(side)
    wanted = pictures[template].reshape(len(template), -1)
    wanted = wanted - wanted.mean(1, keepdims=True)
    wanted /= np.maximum(np.linalg.norm(wanted, axis=1, keepdims=True), 1e-6)
    steepest = _steepest(wanted.reshape(-1, side, side), grid)
    system = steepest.transpose(0, 2, 1) @ steepest
    mean = np.trace(system, axis1=1, axis2=2)[:, None, None] / 6
    inverse = np.linalg.inv(system + (DAMPING * mean + 1e-9) * np.eye(6, dtype=np.float32)).astype(np.float32)
    maps = np.zeros((len(warps), 3, 3), np.float32)
    maps[:, :2], maps[:, 2, 2] = _centred(warps, side), 1
    best, best_maps = np.full(len(warps), -1, np.float32), maps.copy()
    for iteration in range(iterations + 1):
        laid, known = _laid(pictures, picture, maps, grid)
        error, correlation = _error(laid, known, wanted)
        better = correlation > best
        best[better], best_maps[better] = correlation[better], maps[better]
        if iteration < iterations:
            steps = inverse @ (steepest.transpose(0, 2, 1) @ error[..., None])
            maps = maps @ _inverse_of(_limited(steps[..., 0], side))
    return _from_centre(best_maps[:, :2], side), best


def laid_over(pictures: Array, picture: Array, warps: Array) -> tuple[Array, Array]:
    """Pictures float32 [n, s, s] in the frame that maps come from, and 1 where they reach to, else 0."""
    side = pictures.shape[1]
    laid, known = _laid(pictures, picture, _centred(warps, side), _grid(side))
    return laid.reshape(-1, side, side), known.reshape(-1, side, side)


def _grid(side: int) -> Array:
    """Pixel places from the centre, x and y, float32 [2, side²]."""
    y, x = np.mgrid[:side, :side].astype(np.float32) - (side - 1) / 2
    return np.stack([x.ravel(), y.ravel()])


def _steepest(pictures: Array, grid: Array) -> Array:
    """How each pixel changes with the six parameters of an affine map, float32 [n, side², 6]."""
    down, across = np.gradient(pictures, axis=(1, 2))
    slopes = np.stack([across, down], 1).reshape(len(pictures), 2, 1, -1)
    places = np.stack([grid[0], grid[1], np.ones_like(grid[0])])
    return np.asarray((slopes * places).reshape(len(pictures), 6, -1).transpose(0, 2, 1), np.float32)


def _laid(pictures: Array, picture: Array, maps: Array, grid: Array) -> tuple[Array, Array]:
    """Pictures at the places that maps name, float32 [n, side²], and whether these lie inside."""
    side = pictures.shape[1]
    places = maps[:, :2, :2] @ grid + maps[:, :2, 2:] + np.float32((side - 1) / 2)
    inside = ((places >= -0.5) & (places <= side - 0.5)).all(1)
    np.clip(places, 0, side - 1.001, out=places)
    whole = places.astype(np.int32)
    x, y = (places - whole.astype(np.float32)).transpose(1, 0, 2)
    first = picture[:, None] * (side * side) + whole[:, 1] * side + whole[:, 0]
    flat = pictures.reshape(-1)
    upper = flat[first] * (1 - x) + flat[first + 1] * x
    lower = flat[first + side] * (1 - x) + flat[first + side + 1] * x
    return upper * (1 - y) + lower * y, inside.astype(np.float32)


def _error(laid: Array, known: Array, wanted: Array) -> tuple[Array, Array]:
    """Difference of laid and wanted pictures where both are known, brought to the same mean and norm; correlation."""
    count = np.maximum(known.sum(1, keepdims=True), 1)
    laid = (laid - (laid * known).sum(1, keepdims=True) / count) * known
    here = (wanted - (wanted * known).sum(1, keepdims=True) / count) * known
    norm = np.maximum(np.linalg.norm(laid, axis=1, keepdims=True), 1e-6)
    length = np.maximum(np.linalg.norm(here, axis=1, keepdims=True), 1e-6)
    correlation = (laid * here).sum(1) / (norm * length)[:, 0]
    correlation[count[:, 0] < 0.25 * known.shape[1]] = -1
    return laid * (length / norm) - here, correlation


def _limited(steps: Array, side: int) -> Array:
    """Steps that move no corner of the picture by much more than `LONGEST_STEP`."""
    half = side / 2
    moves = np.abs(steps.reshape(-1, 2, 3) * np.array([half, half, 1], np.float32)).sum(2).max(1)
    return np.asarray(steps * np.minimum(1, LONGEST_STEP / np.maximum(moves, 1e-6))[:, None])


def _inverse_of(steps: Array) -> Array:
    """Inverse of the maps that steps stand for, float32 [n, 3, 3]."""
    maps = np.zeros((len(steps), 3, 3), np.float32)
    maps[:, :2] = steps.reshape(-1, 2, 3)
    maps[:, [0, 1, 2], [0, 1, 2]] += 1
    return np.linalg.inv(maps).astype(np.float32)


def _centred(warps: Array, side: int) -> Array:
    """The same maps for places counted from the centres of both pictures."""
    centre = np.float32((side - 1) / 2)
    moved = warps.copy()
    moved[:, :, 2] += (warps[:, :, :2].sum(2) - 1) * centre
    return moved


def _from_centre(maps: Array, side: int) -> Array:
    centre = np.float32((side - 1) / 2)
    moved = maps.copy()
    moved[:, :, 2] -= (maps[:, :, :2].sum(2) - 1) * centre
    return moved
