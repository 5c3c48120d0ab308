"""Networks and steps of one's own, and parts of a network that are trained alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sightline import checkpoint, models
from sightline.errors import ContractError
from sightline.optimization import Fit, loss_sum
from sightline.recipes import Epochs, Model
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training import train
from tests.training.material import NUM_STEPS, recipe


class Tiny(nn.Module):
    """A network of one's own, with nothing but what it needs."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(64 * in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def test_ones_own_network_as_object_class_or_name(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    own = Tiny(3, 1)
    start = own.fc.weight.detach().clone()
    run = train(recipe(), *data, out=tmp_path, model=own)
    assert torch.equal(own.fc.weight, start), "the object that was passed is not changed"
    stored = checkpoint.load(run.best)
    assert stored.recipe.model.name == "object:tests.training.test_own_parts.Tiny"
    with pytest.raises(ContractError, match="pass model="):
        stored.build()
    assert torch.equal(stored.build(Tiny(3, 1)).fc.weight, stored.weights["fc.weight"])  # type: ignore[union-attr, arg-type]
    made = train(recipe(), *data, out=tmp_path / "class", model=Tiny)
    assert made.is_finished
    named = train(recipe(model=Model(name="tests.training.test_own_parts:Tiny")), *data, out=tmp_path)
    assert isinstance(checkpoint.load(named.best).build(), Tiny)
    assert named.about["model"]["source"].startswith("sha256:")


def test_objects_with_other_weights_are_other_runs(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    torch.manual_seed(1)
    first, second = Tiny(3, 1), Tiny(3, 1)
    a, b = (train(recipe(duration=Epochs(1)), *data, out=tmp_path, model=m) for m in (first, second))
    assert a.digest != b.digest


def test_ones_own_step(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    calls: list[int] = []

    def step(fit: Fit, images: Tensor, labels: Tensor, denominator: int) -> Tensor:
        calls.append(denominator)
        loss = loss_sum(fit.model(images), labels, fit.loss)
        (loss / denominator).backward()
        for optimizer in fit.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return loss.detach()

    plain = train(recipe(), *data, out=tmp_path)
    run = train(recipe(), *data, out=tmp_path, step=step)
    assert calls == [16] * NUM_STEPS
    assert run.digest != plain.digest, "another step is another training"
    assert run.about["model"]["step"].startswith("sha256:")
    assert run.about["weights"] == plain.about["weights"], "but this one does the same"


def test_head_alone(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    r = recipe(model=Model(name="small_cnn", trainable="head", options={"width": 8}))
    run = train(r, *data, out=tmp_path)
    start = models.build(r.model, 3, 1, seed=r.seed).state_dict()
    end = checkpoint.load(run.last).weights
    assert {k for k in start if not torch.equal(start[k], end[k])} == {"head.weight", "head.bias"}
