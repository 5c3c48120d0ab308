"""Greyscale characters of about 28 × 28 pixels (MNIST, Fashion-MNIST and their kin)."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import AdamW
from sightline.recipes.recipe import CrossEntropy, Model, Recipe
from sightline.recipes.schedules import Epochs, WarmupLinear


def fast() -> Recipe:
    """A small convolutional network on slightly turned, scaled and shifted images.

    Command: sightline run MNIST_FOLDER study --recipe mnist.fast.
    """
    return Recipe(
        name="mnist.fast",
        model=Model(name="small_cnn"),
        size=(28, 28),
        augmentation=augmentation.Augmentation(
            transforms=(augmentation.RandomAffine(degrees=10, scale=(0.9, 1.1), translate=0.08),)
        ),
        optimizer=AdamW(lr=3e-3, weight_decay=0.02),
        schedule=WarmupLinear(warmup=Epochs(0.6)),
        duration=Epochs(6),
        batch_size=256,
        loss=CrossEntropy(label_smoothing=0.05),
    )
