"""Random transforms on a whole batch of levels at once: the fast paths of `augmentation`, held to it by tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from sightline import augmentation
from sightline.augmentation import Transform

Array = npt.NDArray[Any]


def windows(store: Array, rows: Array, offsets: Array, size: tuple[int, int]) -> Array:
    """Crops of `size` out of `store[rows]` (n × height × width × channels), the i-th beginning at `offsets[i]`."""
    height, width = size
    n, padded_h, padded_w, channels = store.shape
    s = store.strides
    # Every crop is a view of its bytes; one indexing operation copies the chosen ones, a row of pixels at a time.
    shape = (n, padded_h - height + 1, padded_w - width + 1, height, width * channels)
    views = np.lib.stride_tricks.as_strided(store, shape, (s[0], s[1], s[2], s[1], s[3]), writeable=False)
    return views[rows, offsets[:, 0], offsets[:, 1]].reshape(-1, height, width, channels)


def flip(levels: Array, parameters: Array, _: Transform) -> Array:
    """The batch with some images mirrored, in place."""
    chosen = np.flatnonzero(parameters)
    n, height, width, channels = levels.shape
    if len(chosen) and channels == 3 and levels.dtype == np.uint8:
        # As pixels of three bytes; exchanging them channel by channel takes twice as long.
        pixels = levels.reshape(n, height, width * 3).view("V3")
        pixels[chosen] = pixels[chosen].take(np.arange(width - 1, -1, -1), axis=2)
    elif len(chosen):
        levels[chosen] = levels[chosen].take(np.arange(width - 1, -1, -1), axis=2)
    return levels


def pad_crop(levels: Array, parameters: Array, transform: Transform) -> Array:
    """The batch, each image cropped out of its padded self."""
    assert isinstance(transform, augmentation.PadCrop)
    p = transform.padding
    padded = np.stack([transform.padded(image) for image in levels])
    return windows(padded, np.arange(len(levels)), parameters, (padded.shape[1] - 2 * p, padded.shape[2] - 2 * p))


def affine(levels: Array, parameters: Array, _: Transform) -> Array:
    """The batch seen through its matrices."""
    height, width = levels.shape[1:3]
    half = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    x = torch.arange(width, dtype=torch.float64) + 0.5 - width / 2
    y = torch.arange(height, dtype=torch.float64) + 0.5 - height / 2
    m = torch.from_numpy(parameters)[:, None, None]  # n, 1, 1, 2, 3
    grid = m[..., 0] * x[None, None, :, None] + m[..., 1] * y[None, :, None, None] + m[..., 2]
    images = torch.from_numpy(levels).permute(0, 3, 1, 2).float()
    out = F.grid_sample(images, (grid / half).float(), mode="bilinear", padding_mode="zeros", align_corners=False)
    if levels.dtype == np.uint8:
        out = out.round_().to(torch.uint8)
    return np.ascontiguousarray(out.permute(0, 2, 3, 1).numpy())


BATCHED: dict[type, Callable[[Array, Array, Any], Array]] = {
    augmentation.RandomHorizontalFlip: flip,
    augmentation.AlternatingFlip: flip,
    augmentation.PadCrop: pad_crop,
    augmentation.RandomAffine: affine,
}
"""Transform → what does it to a batch (n × height × width × channels) with its drawn parameters."""


def applied(transform: Transform, levels: Array, parameters: Array, is_exact: bool) -> Array:
    """The batch after one transform; `is_exact` takes the plain way, image by image."""
    if is_exact:
        return np.stack([transform.apply(x, p) for x, p in zip(levels, parameters, strict=True)])
    return BATCHED[type(transform)](levels, parameters, transform)
