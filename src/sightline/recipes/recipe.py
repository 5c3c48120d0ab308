"""The recipe: a frozen description of one training, with a digest. What it does not say does not change the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sightline import augmentation as augmentations
from sightline.augmentation import Augmentation, Custom
from sightline.digests import digest_of, plain
from sightline.errors import RecipeError
from sightline.recipes import fields
from sightline.recipes.fields import check, require
from sightline.recipes.optimizers import AdamW, Muon, Optimizer, Sgd, peak_lr
from sightline.recipes.schedules import Duration, Epochs, Schedule, Steps, WarmupCosine, WarmupLinear


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A network by name, so that a checkpoint can build it again."""

    name: str
    """`small_cnn` and `whitened_cnn` (own), `timm:resnet18`, `torchvision:resnet18`, `module:function` for one's own;
    a bare name is looked up in timm, then in torchvision."""
    pretrained: bool = False
    """Start from the published weights; the preprocessing contract is then theirs."""
    trainable: Literal["all", "head"] = "all"
    """`head`: everything but the classifier is frozen, its normalisation statistics included."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the network, such as drop_rate."""

    def __post_init__(self) -> None:
        check(self)
        require(bool(self.name), "model.name is empty.")


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossEntropy:
    """Cross-entropy on class ids, summed over samples and divided once by their number in the global batch."""

    label_smoothing: float = 0.0
    """ε: the target is 1 - ε + ε/K for the label and ε/K for the others."""

    def __post_init__(self) -> None:
        check(self)
        require(0 <= self.label_smoothing < 1, f"loss.label_smoothing lies in [0, 1), got {self.label_smoothing}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ema:
    """Exponential moving average of the weights; it is what is validated and kept as best."""

    decay: float = 0.999
    """Share of the average that stays at each update; early on min(decay, (1 + t) / (10 + t)) after t updates,
    so that the random start is forgotten."""

    def __post_init__(self) -> None:
        check(self)
        require(0 < self.decay < 1, f"ema.decay lies in (0, 1), got {self.decay}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSize:
    """From a share of the training on, images of this size: small images first save time."""

    start: float
    """Share of the epochs after which this size begins; the first entry begins at 0."""
    size: tuple[int, int]
    """Height and width in pixels."""

    def __post_init__(self) -> None:
        check(self)
        require(0 <= self.start < 1, f"TrainSize.start lies in [0, 1), got {self.start}.")
        require(min(self.size) >= 1, f"TrainSize.size must be positive, got {self.size}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training, complete: two equal recipes on equal data and hardware give equal weights."""

    name: str
    """`family.variant`."""
    model: Model
    """The network."""
    size: tuple[int, int] | None = None
    """Height and width the model is validated and used at; none: what the pretrained weights were made for."""
    crop_fraction: float = 1.0
    """Share of the resized image that the centre crop keeps; 0.875 is the classical 224 of 256."""
    color_mode: Literal["auto", "RGB"] = "auto"
    """Channels of the model's input; auto: one when every training image is grey, else three."""
    train_sizes: tuple[TrainSize, ...] = ()
    """Sizes of training images by share of the training; empty: `size` throughout."""
    augmentation: Augmentation
    """Random transforms of the training images."""
    optimizer: Optimizer = field(default_factory=Sgd)
    """Optimizer and its peak learning rate."""
    schedule: Schedule = field(default_factory=WarmupCosine)
    """Learning rate over the updates."""
    duration: Duration = field(default_factory=lambda: Epochs(30))
    """How long to train."""
    batch_size: int = 128
    """Samples of an update, over all ranks."""
    micro_batch_size: int | None = None
    """Samples that pass through the model at once on a rank, to save memory; the update stays that of the batch."""
    loss: CrossEntropy = field(default_factory=CrossEntropy)
    """What is minimised."""
    clip_norm: float | None = None
    """Largest norm of the update's whole gradient; none: unclipped."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of matrix products and convolutions; auto: bfloat16 where the device computes it faster."""
    ema: Ema | None = None
    """Averaging of weights; none: the weights themselves."""
    seed: int = 0
    """Of initial weights, order, augmentation and dropout."""

    def __post_init__(self) -> None:
        check(self)
        for own in (t for t in self.augmentation.transforms if isinstance(t, Custom) and not t.is_named):
            raise RecipeError(f"augmentation: {own.name} is not a function that a module defines by that name, so no "
                              "recipe can say what it is. Write it with def in a file of its own and give module:name.")
        require(self.batch_size >= 1, f"batch_size must be ≥ 1, got {self.batch_size}.")
        require(self.micro_batch_size is None or self.micro_batch_size >= 1,
                f"micro_batch_size must be ≥ 1 or none, got {self.micro_batch_size}.")
        require(self.duration.updates(1_000_000) > 0, f"duration must be longer than nothing, got {self.duration}.")
        require(self.clip_norm is None or self.clip_norm > 0, f"clip_norm must be > 0 or none, got {self.clip_norm}.")
        require(self.seed >= 0, f"seed must be ≥ 0, got {self.seed}.")
        require(0 < self.crop_fraction <= 1, f"crop_fraction lies in (0, 1], got {self.crop_fraction}.")
        require(self.size is not None or self.model.pretrained,
                "size is none, which means that of pretrained weights, but model.pretrained is false; give a size.")
        require(self.size is None or min(self.size) >= 1, f"size must be positive, got {self.size}.")
        starts = [t.start for t in self.train_sizes]
        require(not starts or (starts[0] == 0 and starts == sorted(set(starts))),
                f"train_sizes must begin at 0 and go up, got starts {starts}.")

    @cached_property
    def digest(self) -> str:
        """sha256 of the recipe, hex."""
        return digest_of(self)

    @property
    def peak_lr(self) -> float:
        """The peak learning rate of an update, linear scaling applied."""
        return peak_lr(self.optimizer, self.batch_size)

    def updates(self, updates_per_epoch: int) -> int:
        """Number of updates of the whole training. Raises RecipeError when the warm-up leaves no time after it."""
        total = max(1, self.duration.updates(updates_per_epoch))
        warmup = self.schedule.warmup.updates(updates_per_epoch)
        require(warmup < total, f"the warm-up ({self.schedule.warmup}, {warmup} updates) is as long as the training "
                f"({self.duration}, {total} updates): the peak is never reached. Shorten schedule.warmup.")
        return total

    def lr_factor(self, update: int, updates_per_epoch: int) -> float:
        """Learning rate at an update (counted from 0) as a share of the peak: a pure function, nothing to resume."""
        warmup = self.schedule.warmup.updates(updates_per_epoch)
        return self.schedule.factor(update, warmup, self.updates(updates_per_epoch))

    def train_size(self, epoch: int, epochs: int) -> tuple[int, int] | None:
        """Size of the training images in an epoch (counted from 0) of `epochs`; none: `size`."""
        reached = [t.size for t in self.train_sizes if t.start * epochs <= epoch]
        return reached[-1] if reached else self.size

    def with_set(self, *assignments: str) -> Recipe:
        """A recipe with fields changed by text: `optimizer.lr=0.2`, `duration=Epochs(5)`, `clip_norm=none`.

        Raises RecipeError for a field that does not exist or cannot have that value.
        """
        recipe = self
        for assignment in assignments:
            recipe = fields.with_set(recipe, assignment, PARTS)
        return recipe

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON types; `from_json` reads it back."""
        return dict(plain(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_json` wrote. Raises RecipeError for fields this version does not know."""
        recipe = fields.from_json(dict(data), PARTS)
        if not isinstance(recipe, cls):
            raise RecipeError(f"a recipe's JSON has type 'Recipe', got {data.get('type')!r}.")
        return recipe

    def __str__(self) -> str:
        optimizer = f"{type(self.optimizer).__name__} lr {self.peak_lr:g}"
        return f"{self.name} · {self.model.name} · {self.duration} · batch {self.batch_size} · {optimizer}"


def _parts(types: Iterable[type]) -> dict[str, type]:
    return {t.__name__: t for t in types}


PARTS: Mapping[str, type] = _parts((
    Recipe, Model, CrossEntropy, Ema, TrainSize, Sgd, AdamW, Muon, Epochs, Steps, WarmupCosine, WarmupLinear,
    *augmentations.TRANSFORMS, *augmentations.MIXINGS, Augmentation,
))  # fmt: skip
"""Every type that may stand in a recipe, by the name it has in JSON and after --set."""
