"""The jobs that every contender does alike: which images, which transforms, which batches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Job:
    """One kind of batch, and how often it is asked for."""

    name: str
    title: str
    batch_size: int
    size: int
    """Height and width of a batch's images."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)

TRAIN = Job(
    name="train", title="Training batches of photographs: RandomResizedCrop 224 and flip", batch_size=64, size=224,
    mean=IMAGENET_MEAN, std=IMAGENET_STD,
)  # fmt: skip
EVAL = Job(
    name="eval", title="Evaluation batches of photographs: Resize 256 bicubic, CenterCrop 224", batch_size=64,
    size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD,
)  # fmt: skip
CIFAR10 = Job(
    name="cifar10", title="CIFAR-10: crop with padding 4 and flip", batch_size=512, size=32,
    mean=CIFAR_MEAN, std=CIFAR_STD,
)  # fmt: skip
GROWTH = Job(
    name="growth", title="Memory over 20 epochs of the training job", batch_size=64, size=224,
    mean=IMAGENET_MEAN, std=IMAGENET_STD,
)  # fmt: skip
ORDER = Job(
    name="order", title="Order and sharding of 1.28 million samples, rank 0 of 8", batch_size=256, size=8,
    mean=IMAGENET_MEAN, std=IMAGENET_STD,
)  # fmt: skip

JOBS = (TRAIN, EVAL, CIFAR10, GROWTH, ORDER)
BY_NAME = {job.name: job for job in JOBS}

RESIZE = 256
"""Shorter side before the evaluation's crop."""
CROP_PADDING = 4
WORKERS = 2
"""Worker processes, or threads, that each contender may use."""
GROWTH_EPOCHS = 20
ORDER_SAMPLES = 1_281_167
ORDER_RANKS = 8
