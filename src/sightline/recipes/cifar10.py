"""Colour images of 32 × 32 pixels (CIFAR-10 and its kin)."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import Muon, Sgd
from sightline.recipes.recipe import CrossEntropy, Model, Recipe
from sightline.recipes.schedules import Epochs, WarmupLinear


def fast() -> Recipe:
    """A shallow whitened network with orthogonalised steps, on padded crops and mirror images.

    Command: sightline run CIFAR_FOLDER study --recipe cifar10.fast.
    """
    return Recipe(
        name="cifar10.fast",
        model=Model(name="whitened_cnn"),
        size=(32, 32),
        augmentation=augmentation.small((32, 32), padding=2, flip=True),
        optimizer=Muon(
            lr=0.15, momentum=0.6, rest=Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.0), head_lr=0.5
        ),
        schedule=WarmupLinear(warmup=Epochs(0.9)),
        duration=Epochs(9),
        batch_size=500,
        loss=CrossEntropy(label_smoothing=0.2),
    )
