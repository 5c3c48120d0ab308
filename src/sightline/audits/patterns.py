"""Patterns that images of one class share at a fixed place: watermarks, logos, dates, frames, dirt on a lens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sightline.audits.regions import Column

if TYPE_CHECKING:
    from sightline.inspection import Inspection

Array = np.ndarray[Any, Any]

BLOCK = 2048
"""Thumbnails looked at together."""

WINDOW = 3
"""Side of the box whose mean is taken from each pixel: what is left is fine detail, where marks are, not scenes."""

CLIP = 0.12
"""Detail beyond it counts as this much: one glaring edge must not weigh as much as a hundred faint marks."""

CERTAIN = 4.0
"""Standard errors by which a pixel's mean detail in the class must differ from that of all images to be in the
pattern: of the 4096 pixels of a thumbnail 0.3 do by chance."""

LEAST = 3
"""Pixels of a pattern."""

ROUNDS = 2
"""Times that a pattern is made anew of the images that show it: a watermark on a tenth of CIFAR-10's cats is then found
with purity 1, one on a fifth of 400 photographs with 0.9; without, the latter is not found."""

SHOWING = 2.0
"""Standard deviations of likeness above the mean from which on an image shows a pattern."""

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
    weighted by the inverse variance there; then the same of those images of the class alone that show it most, since
    a mark on a fifth of a class is five times fainter in its mean. Each image is compared with the pattern of the half
    that it is not in (`half`, boolean per row of the table; `rows` are those that patterns are made of), so that no
    image is in its own. The column's name says where the pattern lies. Classes without a pattern in both halves have
    none.
    """
    ground, first = _first(inspection, labels, rows, half)
    chosen = sorted(first, key=lambda c: -first[c][1])[:MOST]
    if not chosen:
        return {}
    weights = np.stack([first[c][0] for c in chosen])  # [classes, halves, pixels]
    of_class = [rows[labels[rows] == c] for c in chosen]
    for _ in range(ROUNDS):
        likeness = _likeness(inspection, weights)
        for c, mine in enumerate(of_class):
            for h, part in enumerate((half, ~half)):
                weights[c, h] = _sharpened(inspection, ground, h, (likeness[c, h], rows[part[rows]], mine[part[mine]]),
                                           weights[c, h])  # fmt: skip
    # Pattern 1 is of the half that is False: an image of the half that is True is compared with that one.
    likeness = _likeness(inspection, weights)[:, half.astype(int), np.arange(len(half))]
    likeness[:, ~inspection.is_seen] = np.nan
    return {label: _column(likeness[i], weights[i]) for i, label in sorted(enumerate(chosen), key=lambda c: c[1])}


def _column(likeness: Array, weights: Array) -> Column:
    spread = float(np.nanstd(likeness))
    values = (likeness - np.nanmedian(likeness)) / (spread if spread > 0 else 1)
    return Column(name=f"pattern {place_of(weights)}", values=values.astype(np.float32))


def _likeness(inspection: Inspection, weights: Array) -> Array:
    """Each image's likeness to each pattern, float32 [classes, halves, n]."""
    found = np.zeros((*weights.shape[:2], len(inspection)), np.float32)
    for start in range(0, len(inspection), BLOCK):
        flat = _detail(inspection.thumbnails(start, start + BLOCK))
        found[:, :, start : start + len(flat)] = weights @ flat.T
    return found


class _Ground(NamedTuple):
    """Detail of all images of each half, [halves, pixels]."""

    mean: Array
    variance: Array


def _first(
    inspection: Inspection, labels: Array, rows: Array, half: Array
) -> tuple[_Ground, dict[int, tuple[Array, float]]]:
    """The ground, and by class the weights of both halves' patterns [2, pixels], with how clear the fainter one is."""
    classes = np.unique(labels[rows])
    number = np.full(len(labels), -1, np.int64)
    number[rows] = 2 * np.searchsorted(classes, labels[rows]) + ~half[rows]
    sums = np.zeros((2 * len(classes), inspection.side**2))
    squares = np.zeros((2, inspection.side**2))
    for start in range(0, len(inspection), BLOCK):
        of = number[start : start + BLOCK]
        flat = _detail(inspection.thumbnails(start, start + BLOCK)[of >= 0])
        of = of[of >= 0]
        order = np.argsort(of, kind="stable")
        present, begins = np.unique(of[order], return_index=True)
        if len(present):
            sums[present] += np.add.reduceat(flat[order], begins, axis=0)
        for h in (0, 1):
            squares[h] += (flat[of % 2 == h] ** 2).sum(0)
    counts = np.bincount(number[rows], minlength=2 * len(classes)).astype(np.float64)
    totals = np.maximum([counts[h::2].sum() for h in (0, 1)], 1)[:, None]
    mean = np.stack([sums[h::2].sum(0) for h in (0, 1)]) / totals
    ground = _Ground(mean, np.maximum(squares / totals - mean**2, 1e-6))
    found = {}
    for c, label in enumerate(classes.tolist()):
        both = [_weights(sums[k] / max(counts[k], 1), counts[k], ground, k % 2) for k in (2 * c, 2 * c + 1)]
        if all((w != 0).sum() >= LEAST for w, _ in both):
            found[label] = np.stack([w for w, _ in both]), min(z for _, z in both)
    return ground, found


def _weights(mean: Array, n: float, ground: _Ground, h: int) -> tuple[Array, float]:
    """Weights of a pattern, float32 [pixels], from the mean detail of `n` images, and its clearest standard error."""
    difference = mean - ground.mean[h]
    z = difference / np.sqrt(ground.variance[h] / max(n, 1))
    weights = np.where(np.abs(z) >= CERTAIN, difference / ground.variance[h], 0)
    return weights.astype(np.float32), float(np.abs(z).max())


def _sharpened(
    inspection: Inspection, ground: _Ground, h: int, of: tuple[Array, Array, Array], weights: Array
) -> Array:
    """The pattern of those images of a class that show `weights` most; as it was where hardly any does.

    `of`: the likeness of each image, the rows of the half, and those of them that are of the class.
    """
    likeness, everybody, mine = of
    bound = likeness[everybody].mean() + SHOWING * likeness[everybody].std()
    showing = mine[likeness[mine] > bound][:BLOCK]
    if len(showing) < LEAST:
        return weights
    sharp, _ = _weights(_detail(inspection.thumbnails_of(showing)).mean(0), len(showing), ground, h)
    return sharp if (sharp != 0).sum() >= LEAST else weights


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
