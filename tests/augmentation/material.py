"""An image, hashes of samples, and one's own transform, for the tests of augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from sightline.randomness import Draws

Array = np.ndarray[Any, Any]

N = 5_000
HASHES = Draws(9, 9, np.arange(N, dtype=np.uint64)).bits(0)


def photo(height: int, width: int, seed: int = 0) -> Array:
    """Smooth random blobs with a little noise (uint8, height × width × 3)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8)


IMAGE = photo(19, 24)


def sizes(height: int, width: int, n: int = N) -> Array:
    """n equal sizes, as transforms want them."""
    return np.tile([height, width], (n, 1))


def speckled(image: Array, rng: np.random.Generator) -> Array:
    """A transform of one's own: some pixels black."""
    return image * (rng.random(image.shape[:2]) > 0.2)[..., None].astype(image.dtype)
