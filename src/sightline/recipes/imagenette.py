"""Ten easy classes of ImageNet (imagenette), from scratch."""

from __future__ import annotations

from sightline import augmentation
from sightline.recipes.optimizers import Sgd
from sightline.recipes.recipe import CrossEntropy, Model, Recipe, TrainSize
from sightline.recipes.schedules import Epochs, WarmupCosine


def fast() -> Recipe:
    """A ResNet-18 at 128 pixels, its first epochs at 96.

    Command: sightline run IMAGENETTE_FOLDER study --recipe imagenette.fast.
    """
    return Recipe(
        name="imagenette.fast",
        model=Model(name="timm:resnet18"),
        size=(128, 128),
        train_sizes=(TrainSize(start=0.0, size=(96, 96)), TrainSize(start=0.7, size=(128, 128))),
        augmentation=augmentation.photograph((128, 128)),
        optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
        schedule=WarmupCosine(warmup=Epochs(2)),
        duration=Epochs(15),
        batch_size=64,
        loss=CrossEntropy(label_smoothing=0.1),
    )
