"""Ten easy classes of ImageNet (imagenette), from scratch."""

from __future__ import annotations

from dataclasses import replace

from sightline.recipes import photo
from sightline.recipes.recipe import Recipe


def fast() -> Recipe:
    """A shallow whitened network with orthogonalised steps, at 64, then 96, then 128 pixels.

    Command: sightline run IMAGENETTE_FOLDER study --recipe imagenette.fast.
    Measured on two cores (Zen 5 with AVX-512, torch 2.15), 3,600 training images of 224 px: test top-1
    86.0, 86.4 and 85.7 % for seeds 0, 1 and 2 in one look, val 85.8, 85.0 and 87.0 %; training 4 min 29 s, timed with
    a colour jitter whose steps had one order.
    """
    return replace(photo.scratch(128, 30), name="imagenette.fast")
