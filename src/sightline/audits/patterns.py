"""Patterns that images of one class share at a fixed place: watermarks, logos, dates, frames, dirt on a lens.

Looked for twice, in light and in colour: a red logo may be as light as what is around it, and a faint white text would
drown in the colours' noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
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

CLIP = 0.05
"""Detail beyond it counts as this much, about its standard deviation in photographs: one glaring edge must not weigh as
much as a hundred faint marks. Of 72 faint marks on Imagenette and 36 on CIFAR-10 21 and 14 are found so, 17 and 9 with
0.12; 0.03 makes plain marks less certain."""

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

PLANES = {
    "pattern": np.array([[0.299], [0.587], [0.114]], np.float32),
    "coloured pattern": np.array([[1, 0], [-1, -1], [0, 1]], np.float32),
}
"""What is made of red, green and blue: luminance; red less green and blue less green, at half the side: most JPEGs hold
no more of colour, and it takes a quarter of the time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """What the images of a class share at a fixed place."""

    label: int
    place: str
    """One of `PLACES`."""
    column: Column
    """Likeness of each image to it, in standard deviations; NaN where there is no picture."""


def patterns(inspection: Inspection, labels: Array, rows: Array, half: Array) -> list[Pattern]:
    """The patterns of all classes that have one, in light or in colour.

    A pattern is the mean detail of the class less that of all images, at the pixels where they surely differ,
    weighted by the inverse variance there; then the same of those images of the class alone that show it most, since
    a mark on a fifth of a class is five times fainter in its mean. Each image is compared with the pattern of the half
    that it is not in (`half`, boolean per row of the table; `rows` are those that patterns are made of), so that no
    image is in its own. The column's name says where the pattern lies. Classes without a pattern in both halves have
    none.
    """
    return [p for name in PLANES for p in _patterns(_Details(inspection, name), labels, rows, half)]


def _patterns(details: _Details, labels: Array, rows: Array, half: Array) -> list[Pattern]:
    ground, first = _first(details, labels, rows, half)
    chosen = sorted(first, key=lambda c: -first[c][1])[:MOST]
    if not chosen:
        return []
    weights = np.stack([first[c][0] for c in chosen])  # [classes, halves, pixels]
    of_class = [rows[labels[rows] == c] for c in chosen]
    for _ in range(ROUNDS):
        likeness = _likeness(details, weights)
        for c, mine in enumerate(of_class):
            for h, part in enumerate((half, ~half)):
                weights[c, h] = _sharpened(details, ground, h, (likeness[c, h], rows[part[rows]], mine[part[mine]]),
                                           weights[c, h])  # fmt: skip
    # Pattern 1 is of the half that is False: an image of the half that is True is compared with that one.
    likeness = _likeness(details, weights)[:, half.astype(int), np.arange(len(half))]
    likeness[:, ~details.inspection.is_seen] = np.nan
    return [_pattern(details, label, likeness[i], weights[i])
            for i, label in sorted(enumerate(chosen), key=lambda c: c[1])]  # fmt: skip


def _pattern(details: _Details, label: int, likeness: Array, weights: Array) -> Pattern:
    spread = float(np.nanstd(likeness))
    values = (likeness - np.nanmedian(likeness)) / (spread if spread > 0 else 1)
    place = place_of((weights**2).reshape(-1, details.side, details.side).sum(0))
    column = Column(name=f"{details.name} {place}", values=values.astype(np.float32))
    return Pattern(label=label, place=place, column=column)


class _Details(NamedTuple):
    """Fine detail of all images, in light or in colour, made when it is asked for."""

    inspection: Inspection
    name: str
    """One of `PLANES`."""

    @property
    def side(self) -> int:
        return self.inspection.side // (1 if PLANES[self.name].shape[1] == 1 else 2)

    @property
    def size(self) -> int:
        """Values of one image: planes × pixels."""
        return int(PLANES[self.name].shape[1]) * self.side**2

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """First row, and float32 [n, size]."""
        for start in range(0, len(self.inspection), BLOCK):
            yield start, self.of(self.inspection.thumbnails(start, start + BLOCK))

    def of(self, thumbnails: Array) -> Array:
        """Each plane less its local mean."""
        levels = thumbnails.astype(np.float32) / 255 if self.side == self.inspection.side else _halved(thumbnails)
        planes = np.moveaxis(levels @ PLANES[self.name], -1, 1).reshape(-1, self.side, self.side)
        margin = WINDOW // 2
        padded = np.pad(planes, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
        rows: Array = reduce(np.add, (padded[:, k : k + self.side] for k in range(WINDOW)))
        box: Array = reduce(np.add, (rows[:, :, k : k + self.side] for k in range(WINDOW)))
        return np.asarray(np.clip(planes - box / WINDOW**2, -CLIP, CLIP).reshape(len(thumbnails), -1))


def _halved(thumbnails: Array) -> Array:
    """Means of 2 × 2 pixels, as shares of full scale."""
    rows = np.add(thumbnails[:, ::2], thumbnails[:, 1::2], dtype=np.uint16)
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]).astype(np.float32) / (4 * 255))


def _likeness(details: _Details, weights: Array) -> Array:
    """Each image's likeness to each pattern, float32 [classes, halves, n]."""
    found = np.zeros((*weights.shape[:2], len(details.inspection)), np.float32)
    for start, flat in details.blocks():
        found[:, :, start : start + len(flat)] = weights @ flat.T
    return found


class _Ground(NamedTuple):
    """Detail of all images of each half, [halves, pixels]."""

    mean: Array
    variance: Array


def _first(
    details: _Details, labels: Array, rows: Array, half: Array
) -> tuple[_Ground, dict[int, tuple[Array, float]]]:
    """The ground, and by class the weights of both halves' patterns [2, pixels], with how clear the fainter one is."""
    classes = np.unique(labels[rows])
    number = np.full(len(labels), -1, np.int64)
    number[rows] = 2 * np.searchsorted(classes, labels[rows]) + ~half[rows]
    sums = np.zeros((2 * len(classes), details.size))
    squares = np.zeros((2, details.size))
    for start, all_of_them in details.blocks():
        of = number[start : start + BLOCK]
        flat, of = all_of_them[of >= 0], of[of >= 0]
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
    details: _Details, ground: _Ground, h: int, of: tuple[Array, Array, Array], weights: Array
) -> Array:
    """The pattern of those images of a class that show `weights` most; as it was where hardly any does.

    `of`: the likeness of each image, the rows of the half, and those of them that are of the class.
    """
    likeness, everybody, mine = of
    bound = likeness[everybody].mean() + SHOWING * likeness[everybody].std()
    showing = mine[likeness[mine] > bound][:BLOCK]
    if len(showing) < LEAST:
        return weights
    sharp, _ = _weights(details.of(details.inspection.thumbnails_of(showing)).mean(0), len(showing), ground, h)
    return sharp if (sharp != 0).sum() >= LEAST else weights


def place_of(energy: Array) -> str:
    """Where a pattern lies, one of `PLACES`, by what each of its pixels weighs, [side, side]."""
    total, n = float(energy.sum()), len(energy) // 4
    corners = [float(energy[y, x].sum()) for y in (slice(n), slice(-n, None)) for x in (slice(n), slice(-n, None))]
    names = list(PLACES)
    if max(corners) >= MOSTLY * total:
        return names[int(np.argmax(corners))]
    if sum(corners) >= MOSTLY * total:
        return "in the corners"
    centre = float(energy[n:-n, n:-n].sum()) / total
    return "in the centre" if centre >= MOSTLY else "along the edges" if 1 - centre >= MOSTLY else "all over"
