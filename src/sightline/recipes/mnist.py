"""Greyscale characters of about 28 × 28 pixels (MNIST, Fashion-MNIST and their kin)."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import AdamW
from sightline.recipes.recipe import CrossEntropy, Model, Recipe
from sightline.recipes.schedules import Epochs, WarmupCosine


def fast() -> Recipe:
    """A small convolutional network on shifted images.

    Command: sightline run MNIST_FOLDER study --recipe mnist.fast.
    """
    return Recipe(
        name="mnist.fast",
        model=Model(name="small_cnn"),
        size=(28, 28),
        augmentation=augmentation.small((28, 28), padding=2, flip=False),
        optimizer=AdamW(lr=4e-3, weight_decay=0.05),
        schedule=WarmupCosine(warmup=Epochs(0.5)),
        duration=Epochs(6),
        batch_size=128,
        loss=CrossEntropy(label_smoothing=0.1),
    )
