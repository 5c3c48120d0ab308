"""Photographs of any kind in a person's own folder."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import AdamW, Muon, Sgd
from sightline.recipes.recipe import CrossEntropy, Model, Recipe, TrainSize
from sightline.recipes.schedules import Epochs, WarmupCosine, WarmupLinear


def scratch(size: int = 128, epochs: float = 30) -> Recipe:
    """A shallow whitened network from random weights: half of `size` at first, then three quarters, then `size`.

    Command: sightline run FOLDER study --recipe photo.scratch. Without published weights a few thousand images teach
    only so much: with a network connection, photo.finetune reaches more in less time.
    """
    return Recipe(
        name="photo.scratch",
        model=Model(
            name="whitened_cnn",
            options={"widths": (32, 96, 192, 256), "stem_kernel": 4, "stem_stride": 2, "stem_width": 24},
        ),
        size=(size, size),
        color_mode="RGB",
        train_sizes=tuple(
            TrainSize(start=start, size=(round(size * share), round(size * share)))
            for start, share in ((0.0, 0.5), (0.4, 0.75), (0.8, 1.0))
        ),
        augmentation=augmentation.photograph((size, size), jitter=0.3),
        optimizer=Muon(
            lr=0.1, momentum=0.6, rest=Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.0), head_lr=0.5
        ),
        schedule=WarmupLinear(warmup=Epochs(epochs / 10)),
        duration=Epochs(epochs),
        batch_size=128,
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
