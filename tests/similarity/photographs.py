"""Pictures with the structure of photographs (power falls with frequency, objects with edges), and edits of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shown:
    """Thumbnails in memory."""

    pictures: Array

    @property
    def side(self) -> int:
        return int(self.pictures.shape[1])

    def __len__(self) -> int:
        return len(self.pictures)

    def thumbnails(self, start: int, stop: int) -> Array:
        return self.pictures[start:stop]


def photograph(seed: int, size: int = 128) -> Image.Image:
    """A scene of its own for each seed."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = 1
    noise = np.fft.fft2(rng.normal(size=(3, size, size))) / frequency
    noise[:, 0, 0] = 0
    field = np.fft.ifft2(noise).real
    field = 110 + 35 * (0.7 * field[:1] + 0.3 * field) / field.std()
    picture = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8).transpose(1, 2, 0))
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, w, h = rng.integers(0, size, 2).tolist() + rng.integers(size // 10, size // 3, 2).tolist()
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(rng.integers(0, 255, 3).tolist()))
    return picture


def shown(pictures: list[Image.Image], side: int = 64) -> Shown:
    """Thumbnails of pictures."""
    return Shown(np.stack([np.asarray(p.convert("RGB").resize((side, side), Image.Resampling.BOX)) for p in pictures]))
