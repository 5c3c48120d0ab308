"""Classifiers whose logits are known, and checkpoints of them, without any training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from sightline import checkpoint
from sightline.checkpoint import Checkpoint
from sightline.inference import Classifier
from sightline.models import source_of
from sightline.preprocessing import Preprocessing
from sightline.recipes import Model
from sightline.samples import Classes, SampleTable
from tests.training.material import recipe


def contract_for(samples: SampleTable, size: tuple[int, int] = (8, 8), color_mode: str = "L") -> Preprocessing:
    channels = 1 if color_mode == "L" else 3
    return Preprocessing(
        size=size, resize="shortest", resize_to=min(size), mean=(0.4,) * channels, std=(0.25,) * channels,
        color_mode=color_mode, classes=samples.classes.ids,
    )  # fmt: skip


def small_net(num_classes: int, channels: int = 1, seed: int = 0) -> nn.Module:
    """A convolution, a norm with statistics of its own and a linear layer, with fixed random weights."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, num_classes),
    )  # fmt: skip
    norm = net[1]
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.uniform_(norm.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
    return net


class Says(nn.Module):
    """Gives the same logits for every image."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images_bchw: Tensor) -> Tensor:
        return self.logits.expand(len(images_bchw), -1)


def classifier_for(samples: SampleTable, module: nn.Module | None = None, **digests: str) -> Classifier:
    net = module or small_net(len(samples.classes))
    return Classifier(module=net, preprocessing=contract_for(samples), classes=samples.classes, digests=digests)


def saved(
    path: Path, samples: SampleTable, classes: Classes | None = None, digests: dict[str, str] | None = None,
    seed: int = 3,
) -> Path:  # fmt: skip
    """best.pt of an untrained small_cnn."""
    from sightline import models

    space = classes or samples.classes
    model = Model(name="small_cnn", options={"width": 8})
    module = models.build(model, len(space), 1, seed=seed)
    contract = contract_for(samples).with_classes(space.ids)
    checkpoint.save(path, Checkpoint(
        recipe=recipe(model=model), preprocessing=contract, class_names=space.names,
        weights=module.state_dict(), source=source_of(module, "small_cnn"), digests=digests or {}, step=1,
    ))  # fmt: skip
    return path
