"""Greyscale characters of about 28 × 28 pixels (MNIST, Fashion-MNIST and their kin)."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import Muon, Sgd
from sightline.recipes.recipe import CrossEntropy, Model, Recipe
from sightline.recipes.schedules import Epochs, WarmupLinear


def fast() -> Recipe:
    """A shallow whitened network with orthogonalised steps, on slightly turned, scaled and shifted images.

    Command: sightline run MNIST_FOLDER study --recipe mnist.fast. Flips would make other characters of them.
    Measured on two cores (Zen 5 with AVX-512, torch 2.15): test top-1 99.71, 99.71 and 99.71 % for seeds 0, 1 and 2 in
    one look, val 99.67 … 99.72 %; training 2 min 4 s.
    """
    return Recipe(
        name="mnist.fast",
        model=Model(name="whitened_cnn", options={"widths": (32, 64, 128)}),
        size=(28, 28),
        augmentation=augmentation.Augmentation(
            transforms=(augmentation.RandomAffine(degrees=10, scale=(0.9, 1.1), translate=0.08),)
        ),
        optimizer=Muon(
            lr=0.12, momentum=0.6, rest=Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.0),
            head_lr=0.5, bias_lr=1.0,
        ),
        schedule=WarmupLinear(warmup=Epochs(0.5)),
        duration=Epochs(6),
        batch_size=250,
        loss=CrossEntropy(label_smoothing=0.1),
    )  # fmt: skip
