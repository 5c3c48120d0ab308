"""Which recipe fits a set of images, when nobody has said."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import DataError
from sightline.recipes import cifar10, digits, imagenette, mnist, photo
from sightline.recipes.recipe import Recipe
from sightline.samples import SampleTable

IMAGES_SEEN = 120_000
"""Images that photo.scratch shows its network, where that is 15 … 100 epochs: about ten minutes on two CPU cores."""

KNOWN = {"digits": digits.fast, "mnist": mnist.fast, "cifar10": cifar10.fast, "imagenette": imagenette.fast}
"""Data sets that have a recipe of their own, by the name in their table."""


def choose(samples: SampleTable, *, pretrained: bool = False) -> tuple[Recipe, str]:
    """A recipe for these samples and the reason: by name where the data set is known, else by image size and count.

    `pretrained` asks for published weights, which photo.finetune starts from.

    Raises DataError when no image is readable.
    """
    image = samples.table["image"].combine_chunks()
    is_ok = samples.is_ok
    height, width = (_numbers(image, name)[is_ok] for name in ("height", "width"))
    if not len(height) or not len(width):
        raise DataError(f"{samples.name}: no image is readable, so no recipe can be chosen. Column `reason` says why.")
    side = int(np.median(np.minimum(height, width)))
    modes = set(pc.unique(pc.struct_field(image, "mode").cast(pa.string())).to_pylist())
    is_grey = all(m is None or m.startswith(("L", "I", "1")) for m in modes)
    count = _num_for_training(samples)
    seen = f"median short side {side} px, {count:,} images to learn from"
    if pretrained:
        return photo.finetune(), f"{seen}: published weights were asked for"
    if samples.name in KNOWN:
        return KNOWN[samples.name](), f"the recipe of {samples.name}"
    if side <= 16:
        return digits.fast(), f"{seen}: tiny images"
    if side <= 40 and is_grey:
        return mnist.fast(), f"{seen}, all grey: small characters"
    if side <= 48:
        return cifar10.fast(), f"{seen}: small colour images"
    size = 64 if side < 96 else 128
    epochs = float(np.clip(round(IMAGES_SEEN / max(count, 1)), 15, 100))
    return photo.scratch(size, epochs), f"{seen}: photographs at {size} px from random weights, {epochs:g} epochs"


def _numbers(image: pa.StructArray, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = pc.struct_field(image, name).cast(pa.float64())
    known = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    return np.where(np.isnan(known), np.nanmedian(known) if np.isfinite(known).any() else 32.0, known)


def _num_for_training(samples: SampleTable) -> int:
    official = np.asarray(samples.table["split"].cast(pa.string()).fill_null("train").to_numpy(zero_copy_only=False))
    return int((samples.is_ok & samples.is_labelled & (official != "test")).sum())
