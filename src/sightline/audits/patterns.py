"""Patterns that images of one class share at a fixed place: watermarks, logos, dates, frames, dirt on a lens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.audits.regions import Column

if TYPE_CHECKING:
    from sightline.inspection import Inspection

Array = np.ndarray[Any, Any]

BLOCK = 2048
"""Thumbnails looked at together."""

WINDOW = 5
"""Side of the box whose mean is taken from each pixel: what is left is fine detail, where marks are, not scenes."""

CLIP = 0.12
"""Detail beyond it counts as this much: one glaring edge must not weigh as much as a hundred faint marks."""

CERTAIN = 4.0
"""Standard errors by which a pixel's mean detail in the class must differ from that of all images to be in the
pattern: of the 4096 pixels of a thumbnail 0.3 do by chance."""

LEAST = 3
"""Pixels of a pattern."""

MOST = 50
"""Classes whose patterns are compared with every image; of more, those with the clearest ones."""

MOSTLY = 0.6
"""Share of a pattern that says where it lies."""

PLACES = {
    "in the top left corner": "corners", "in the top right corner": "corners", "in the bottom left corner": "corners",
    "in the bottom right corner": "corners", "in the corners": "corners", "along the edges": "frame",
    "in the centre": "centre", "all over": "blur",
}  # fmt: skip
"""Where a pattern may lie, and the edit (`audits.edits`) that takes it out."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def patterns(inspection: Inspection, labels: Array, rows: Array, half: Array) -> dict[int, Column]:
    """Class → likeness of each image to the pattern of the class, in standard deviations; float32 [n], NaN unseen.

    The pattern is the mean detail of the class less that of all images, at the pixels where they surely differ,
    weighted by the inverse variance there. Each image is compared with the pattern of the half that it is not in
    (`half`, boolean per row of the table; `rows` are those that patterns are made of), so that no image is in its own.
    The column's name says where the pattern lies. Classes without a pattern in both halves have none.
    """
    made = {label: found for label, found in _made(inspection, labels, rows, half).items() if found is not None}
    strongest = sorted(made, key=lambda c: -made[c][1])[:MOST]
    if not strongest:
        return {}
    stacked = np.stack([made[c][0] for c in strongest])  # [classes, halves, pixels]
    likeness = np.full((len(strongest), len(inspection)), np.nan, np.float32)
    for start in range(0, len(inspection), BLOCK):
        stop = min(start + BLOCK, len(inspection))
        flat = _detail(inspection.thumbnails(start, stop))
        other = half[start:stop].astype(int)  # pattern 1 is of the half that is False: an image of True needs that one
        both = np.einsum("np,chp->chn", flat, stacked, optimize=True)
        likeness[:, start:stop] = both[:, other, np.arange(stop - start)]
    likeness[:, ~inspection.is_seen] = np.nan
    found = {}
    for i, label in enumerate(strongest):
        spread = float(np.nanstd(likeness[i]))
        values = (likeness[i] - np.nanmedian(likeness[i])) / (spread if spread > 0 else 1)
        found[label] = Column(name=f"pattern {place_of(stacked[i])}", values=values.astype(np.float32))
    return dict(sorted(found.items()))


def _made(inspection: Inspection, labels: Array, rows: Array, half: Array) -> dict[int, tuple[Array, float] | None]:
    """Class → weights of both halves' patterns [2, pixels] (of True first), and how clear the fainter one is."""
    pixels = inspection.side**2
    classes = np.unique(labels[rows])
    number = np.full(len(labels), -1, np.int64)
    number[rows] = 2 * np.searchsorted(classes, labels[rows]) + ~half[rows]
    sums = np.zeros((2 * len(classes), pixels))
    squares = np.zeros((2, pixels))
    for start in range(0, len(inspection), BLOCK):
        stop = min(start + BLOCK, len(inspection))
        of = number[start:stop]
        kept = of >= 0
        flat, of = _detail(inspection.thumbnails(start, stop)[kept]), of[kept]
        order = np.argsort(of, kind="stable")
        present, begins = np.unique(of[order], return_index=True)
        sums[present] += np.add.reduceat(flat[order], begins, axis=0) if len(present) else 0
        for h in (0, 1):
            squares[h] += (flat[of % 2 == h] ** 2).sum(0)
    counts = np.bincount(number[rows], minlength=2 * len(classes)).astype(np.float64)
    found: dict[int, tuple[Array, float] | None] = {}
    for c, label in enumerate(classes.tolist()):
        of_halves = [_pattern(sums, squares[h], counts, 2 * c + h) for h in (0, 1)]
        is_there = all((w != 0).sum() >= LEAST for w, _ in of_halves)
        found[label] = (np.stack([w for w, _ in of_halves]), min(z for _, z in of_halves)) if is_there else None
    return found


def _pattern(sums: Array, squares: Array, counts: Array, which: int) -> tuple[Array, float]:
    """Weights of a class's pattern in one half, float32 [pixels], and its clearest pixel in standard errors."""
    same_half = np.arange(which % 2, len(counts), 2)
    total = counts[same_half].sum()
    mean = sums[same_half].sum(0) / total
    variance = np.maximum(squares / total - mean**2, 1e-6)
    n = max(counts[which], 1)
    difference = sums[which] / n - mean
    z = difference / np.sqrt(variance * (1 / n + 1 / total))
    weights = np.where(np.abs(z) >= CERTAIN, difference / variance, 0)
    return weights.astype(np.float32), float(np.abs(z).max())


def _detail(thumbnails: Array) -> Array:
    """Luminance less its local mean, float32 [n, pixels]."""
    light = (thumbnails.astype(np.float32) / 255) @ LUMA
    margin = WINDOW // 2
    padded = np.pad(light, ((0, 0), (margin + 1, margin), (margin + 1, margin)), mode="edge")
    total = padded.cumsum(1).cumsum(2)
    box = total[:, WINDOW:, WINDOW:] - total[:, :-WINDOW, WINDOW:] - total[:, WINDOW:, :-WINDOW] \
        + total[:, :-WINDOW, :-WINDOW]  # fmt: skip
    return np.asarray(np.clip(light - box / WINDOW**2, -CLIP, CLIP).reshape(len(light), -1))


def place_of(weights: Array) -> str:
    """Where a pattern [halves, pixels] lies, one of `PLACES`."""
    side = int(np.sqrt(weights.shape[-1]))
    energy = (weights**2).sum(0).reshape(side, side)
    total, n = float(energy.sum()), side // 4
    corners = [float(energy[y, x].sum()) for y in (slice(n), slice(-n, None)) for x in (slice(n), slice(-n, None))]
    names = list(PLACES)
    if max(corners) >= MOSTLY * total:
        return names[int(np.argmax(corners))]
    if sum(corners) >= MOSTLY * total:
        return "in the corners"
    centre = float(energy[n:-n, n:-n].sum()) / total
    return "in the centre" if centre >= MOSTLY else "along the edges" if 1 - centre >= MOSTLY else "all over"
