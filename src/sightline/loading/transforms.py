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
from sightline.loading.colours import jittered

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
    if len(chosen):
        # torch mirrors interleaved uint8 pixels with vector instructions, numpy byte by byte: 13 and 74 µs at 224 px.
        mirrored = torch.from_numpy(levels[chosen]).permute(0, 3, 1, 2).flip(3)
        levels[chosen] = mirrored.permute(0, 2, 3, 1).numpy()
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
    x = torch.arange(width) + 0.5 - width / 2
    y = torch.arange(height) + 0.5 - height / 2
    # grid_sample counts from -1 to 1 between the image's outer edges.
    m = torch.from_numpy(parameters / np.array([[width / 2], [height / 2]])).float()
    along_x, along_y = m[..., 0, None] * x, m[..., 1, None] * y + m[..., 2, None]  # n × 2 × width, n × 2 × height
    grid = torch.stack([along_x[:, i, None, :] + along_y[:, i, :, None] for i in range(2)], dim=-1)
    images = torch.from_numpy(levels).permute(0, 3, 1, 2).float()
    out = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if levels.dtype == np.uint8:
        out = out.round_().to(torch.uint8)
    return np.ascontiguousarray(out.permute(0, 2, 3, 1).numpy())


def jitter(levels: Array, parameters: Array, transform: Transform) -> Array:
    """The batch with other colours."""
    assert isinstance(transform, augmentation.ColorJitter)
    return jittered(levels, parameters["factors"], parameters["order"], transform.hue > 0)


def grey(levels: Array, parameters: Array, transform: Transform) -> Array:
    """The batch with some images grey, in place."""
    for i in np.flatnonzero(parameters):
        levels[i] = transform.apply(levels[i], parameters[i])
    return levels


def each(levels: Array, parameters: Array, transform: Transform) -> Array:
    """The batch, image by image: for what Pillow or a person's own function does."""
    return np.stack([transform.apply(x, p) for x, p in zip(levels, parameters, strict=True)])


def erase(values: Array, parameters: Array, transform: Transform) -> Array:
    """The normalized batch with its boxes replaced, in place."""
    assert isinstance(transform, augmentation.RandomErasing)
    for image, row in zip(values, parameters, strict=True):
        transform.erase(image, row)
    return values


BATCHED: dict[type, Callable[[Array, Array, Any], Array]] = {
    augmentation.RandomHorizontalFlip: flip,
    augmentation.AlternatingFlip: flip,
    augmentation.PadCrop: pad_crop,
    augmentation.RandomAffine: affine,
    augmentation.ColorJitter: jitter,
    augmentation.Grayscale: grey,
    augmentation.RandAugment: each,
    augmentation.TrivialAugment: each,
    augmentation.AutoAugment: each,
    augmentation.Custom: each,
    augmentation.RandomErasing: erase,
}
"""Transform → what does it to a batch (n × height × width × channels) with its drawn parameters."""


def applied(transform: Transform, levels: Array, parameters: Array, is_exact: bool) -> Array:
    """The batch after one transform; `is_exact` takes the plain way, image by image."""
    if is_exact:
        return each(levels, parameters, transform)
    return BATCHED[type(transform)](levels, parameters, transform)
