"""Ten easy classes of ImageNet (imagenette), from scratch."""

from __future__ import annotations

from dataclasses import replace

from sightline.recipes import photo
from sightline.recipes.recipe import Recipe


def fast() -> Recipe:
    """A shallow whitened network with orthogonalised steps, at 64, then 96, then 128 pixels.

    Command: sightline run IMAGENETTE_FOLDER study --recipe imagenette.fast.
    """
    return replace(photo.scratch(128, 30), name="imagenette.fast")
