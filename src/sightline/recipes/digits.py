"""Scanned digits of 8 × 8 pixels (the 1,797 that ship with scikit-learn)."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import AdamW
from sightline.recipes.recipe import CrossEntropy, Model, Recipe
from sightline.recipes.schedules import Epochs, WarmupCosine


def fast() -> Recipe:
    """A small convolutional network on shifted images.

    Command: sightline run digits demo. The digits fill their frame, so shifts stay at one pixel, and flips would make
    other characters of them.
    """
    return Recipe(
        name="digits.fast",
        model=Model(name="small_cnn"),
        size=(8, 8),
        augmentation=augmentation.small((8, 8), padding=1, flip=False),
        optimizer=AdamW(lr=4e-3, weight_decay=0.05),
        schedule=WarmupCosine(warmup=Epochs(2)),
        duration=Epochs(40),
        batch_size=64,
        loss=CrossEntropy(label_smoothing=0.1),
    )
