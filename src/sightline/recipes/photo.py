"""Photographs of any kind in a person's own folder."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import AdamW, Sgd
from sightline.recipes.recipe import CrossEntropy, Model, Recipe, TrainSize
from sightline.recipes.schedules import Epochs, WarmupCosine


def scratch(size: int = 128, epochs: float = 15) -> Recipe:
    """A ResNet-18 from random weights at `size` pixels, its first epochs at three quarters of that.

    Command: sightline run FOLDER study --recipe photo.scratch. Without published weights a few thousand images teach
    only so much: with a network connection, photo.finetune reaches more in less time.
    """
    small = max(32, round(size * 0.75 / 32) * 32)
    sizes = (TrainSize(start=0.0, size=(small, small)), TrainSize(start=0.7, size=(size, size))) if small < size else ()
    return Recipe(
        name="photo.scratch",
        model=Model(name="timm:resnet18"),
        size=(size, size),
        train_sizes=sizes,
        augmentation=augmentation.photograph((size, size)),
        optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
        schedule=WarmupCosine(warmup=Epochs(epochs / 10)),
        duration=Epochs(epochs),
        batch_size=64,
        loss=CrossEntropy(label_smoothing=0.1),
    )


def finetune(epochs: float = 6) -> Recipe:
    """A ResNet-18 from timm's published ImageNet weights, under their own preprocessing contract.

    Command: sightline run FOLDER study --recipe photo.finetune. Needs the weights: a network connection the first time.
    """
    return Recipe(
        name="photo.finetune",
        model=Model(name="timm:resnet18.a1_in1k", pretrained=True),
        augmentation=augmentation.photograph((224, 224)),
        optimizer=AdamW(lr=5e-4, weight_decay=0.05),
        schedule=WarmupCosine(warmup=Epochs(epochs / 10)),
        duration=Epochs(epochs),
        batch_size=64,
        loss=CrossEntropy(label_smoothing=0.1),
        clip_norm=1.0,
    )
