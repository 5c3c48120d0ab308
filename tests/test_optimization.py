from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sightline import models, optimization, recipes
from sightline.errors import RecipeError
from sightline.optimization import Averaged, Fit, OrthogonalMomentum, build_fit, loss_sum, orthogonalised, train_step
from sightline.recipes import AdamW, CrossEntropy, Model, Muon, Optimizer, Recipe, Sgd

CPU = torch.device("cpu")


def _recipe(optimizer: Optimizer | None = None, **changes: Any) -> Recipe:
    plain = {"optimizer": optimizer or Sgd(lr=0.1), "precision": "float32", "loss": CrossEntropy()}
    return replace(recipes.get("digits.fast"), **(plain | changes))


def _linear_fit(optimizer: Optimizer | None = None, **changes: Any) -> Fit:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.LayerNorm(8), nn.Linear(8, 3)).double()
    return build_fit(model, model[-1], _recipe(optimizer, **changes), 3, CPU)


def _data(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, 2, 2, generator=g, dtype=torch.float64), torch.randint(0, 3, (n,), generator=g)


def _vector(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1).clone() for p in module.parameters()])


# Parameters of each group, counted by hand from the published architectures.
GOLDEN_GROUPS = {
    "small_cnn": {"hidden": 4, "head": 1, "bias": 5, "undecayed": 4},
    "whitened_cnn": {"hidden": 6, "head": 1, "bias": 7, "undecayed": 6},
    "timm:resnet18": {"hidden": 20, "head": 1, "bias": 21, "undecayed": 20},
    "torchvision:resnet18": {"hidden": 20, "head": 1, "bias": 21, "undecayed": 20},
    "timm:vit_tiny_patch16_224": {"hidden": 49, "head": 1, "bias": 75, "undecayed": 27},
    "timm:convnext_atto": {"hidden": 40, "head": 1, "bias": 58, "undecayed": 29},
}


@pytest.mark.parametrize("name", GOLDEN_GROUPS)
def test_golden_parameter_groups(name: str) -> None:
    model = models.build(Model(name=name), 10, 3)
    groups = optimization.parameter_groups(model, models.head_of(model))
    counts = {g: list(groups.values()).count(g) for g in groups.values()}
    assert counts == GOLDEN_GROUPS[name]
    assert set(groups) == {n for n, p in model.named_parameters() if p.requires_grad}


def test_a_norm_is_known_by_its_type_not_by_its_name() -> None:
    groups = optimization.parameter_groups(
        m := models.build(Model(name="torchvision:resnet18"), 10, 3), models.head_of(m)
    )
    assert groups["layer2.0.downsample.1.weight"] == "undecayed"  # a BatchNorm without "bn" in its name
    assert groups["layer2.0.downsample.0.weight"] == "hidden"
    assert groups["fc.weight"] == "head"
    assert groups["fc.bias"] == "bias"
    vit = models.build(Model(name="timm:vit_tiny_patch16_224"), 10, 3)
    tokens = optimization.parameter_groups(vit, models.head_of(vit))
    assert tokens["pos_embed"] == tokens["cls_token"] == "undecayed"


@pytest.mark.parametrize("optimizer", [Sgd(lr=0.1, weight_decay=0.5), AdamW(lr=0.1, weight_decay=0.5), Muon(lr=0.1)])
def test_every_parameter_is_in_one_group_and_norms_never_decay(optimizer: Optimizer) -> None:
    model = models.build(Model(name="small_cnn"), 10, 1)
    fit = build_fit(model, models.head_of(model), _recipe(optimizer), 10, CPU)
    seen = [id(p) for o in fit.optimizers for g in o.param_groups for p in g["params"]]
    assert sorted(seen) == sorted(id(p) for p in model.parameters())
    norms = {id(p) for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    for o in fit.optimizers:
        for group in o.param_groups:
            if norms & {id(p) for p in group["params"]}:
                assert group["weight_decay"] == 0
            elif not isinstance(optimizer, Muon):
                assert group["weight_decay"] == 0.5


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_torchs_with_nesterov_as_said(nesterov: bool) -> None:
    fit = _linear_fit(Sgd(lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01))
    assert all(g["nesterov"] is nesterov for g in fit.optimizers[0].param_groups)


def test_learning_rates_are_shares_of_each_groups_own_peak() -> None:
    model = models.build(Model(name="small_cnn"), 10, 1)
    fit = build_fit(model, models.head_of(model), _recipe(Muon(lr=0.2, rest=Sgd(lr=0.05))), 10, CPU)
    optimization.set_lr(fit.optimizers, 0.5)
    assert [o.param_groups[0]["lr"] for o in fit.optimizers] == [0.1, 0.025]
    optimization.set_lr(fit.optimizers, 1.0)
    assert [o.param_groups[0]["lr"] for o in fit.optimizers] == [0.2, 0.05]


@settings(max_examples=30, deadline=None)
@given(k=st.integers(2, 6), eps=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_label_smoothing_is_the_closed_form(k: int, eps: float, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(5, k, generator=g), torch.randint(0, k, (5,), generator=g)
    target = torch.full((5, k), eps / k).scatter_(1, labels[:, None], 1 - eps + eps / k)
    assert torch.allclose(target.sum(1), torch.ones(5))
    expected = -(target.double() * F.log_softmax(logits.double(), 1)).sum()
    assert float(loss_sum(logits, labels, CrossEntropy(label_smoothing=eps))) == pytest.approx(
        float(expected), rel=1e-5
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 100])
@pytest.mark.parametrize("optimizer", [Sgd(lr=0.3, weight_decay=0.01), AdamW(lr=0.01)])
def test_micro_batches_of_any_size_give_the_update_of_the_batch(size: int, optimizer: Optimizer) -> None:
    images, labels = _data(8)
    whole, parts = _linear_fit(optimizer), _linear_fit(optimizer, micro_batch_size=size)
    for _ in range(3):
        a = train_step(whole, images, labels, 8)
        b = train_step(parts, images, labels, 8)
        assert float(a) == pytest.approx(float(b), rel=1e-6)
    assert torch.allclose(_vector(whole.model), _vector(parts.model), atol=1e-6)


def test_the_denominator_is_the_callers_not_the_micro_batchs() -> None:
    fit = _linear_fit(Sgd(lr=1.0, momentum=0.0, weight_decay=0.0))
    twin = copy.deepcopy(fit.model)
    images, labels = _data(5)
    before = _vector(fit.model)
    returned = train_step(fit, images, labels, 20)
    F.cross_entropy(twin(images), labels, reduction="sum").div(20).backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in twin.parameters() if p.grad is not None])
    assert torch.allclose(before - _vector(fit.model), gradient, atol=1e-6)
    assert float(returned) == pytest.approx(float(F.cross_entropy(twin(images), labels, reduction="sum")), rel=1e-5)


def test_one_step_per_update_and_the_clipped_norm_is_that_of_the_whole_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = _linear_fit(Sgd(lr=1.0, momentum=0.0, weight_decay=0.0), clip_norm=0.01, micro_batch_size=3)
    steps: list[int] = []
    step = fit.optimizers[0].step
    monkeypatch.setattr(fit.optimizers[0], "step", lambda: (steps.append(1), step())[1])
    before = _vector(fit.model)
    train_step(fit, *_data(8), 8)
    assert steps == [1]
    assert float((before - _vector(fit.model)).norm()) == pytest.approx(0.01, rel=1e-3)
    assert all(p.grad is None for p in fit.model.parameters())


def test_logits_of_another_shape_are_refused() -> None:
    fit = replace(_linear_fit(), num_classes=4)
    with pytest.raises(RecipeError, match=r"shape \(8, 4\), got \(8, 3\)"):
        train_step(fit, *_data(8), 8)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(2, 24), columns=st.integers(2, 24), seed=st.integers(0, 99))
def test_orthogonalised_matrices_have_singular_values_near_one(rows: int, columns: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=g), full_matrices=False)
    matrix = (u * torch.linspace(0.5, 1.5, len(v))) @ v
    out = orthogonalised(matrix, 5)
    values = torch.linalg.svdvals(out)
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3
    assert float((out * (u @ v)).sum()) > 0.9 * len(v) * float(values.mean()), "it points the same way"


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (16, 4), (6, 2, 1, 1)])
@pytest.mark.parametrize("fixed_norm", [False, True])
def test_muon_steps_have_the_length_it_says(shape: tuple[int, ...], fixed_norm: bool) -> None:
    g = torch.Generator().manual_seed(1)
    weight = nn.Parameter(torch.randn(shape, generator=g))
    weight.grad = 1e-3 * torch.randn(shape, generator=g)
    groups = [{"params": [weight], "lr": 0.1, "weight_decay": 0.0}]
    start = weight.detach().clone()
    if fixed_norm:
        start *= shape[0] ** 0.5 / start.norm()
    OrthogonalMomentum(groups, momentum=0.6, fixed_norm=fixed_norm, iterations=5).step()
    moved = float((weight.detach() - start).norm()) / (0.1 * shape[0] ** 0.5)
    # √out for wide weights; tall ones are scaled up to it.
    expected = min(1.0, np.prod(shape[1:]) / shape[0]) ** 0.5 * max(1.0, shape[0] / np.prod(shape[1:])) ** 0.5
    assert 0.75 * expected < moved < 1.25 * expected


def test_muon_without_hidden_weights_is_refused() -> None:
    model = models.build(Model(name="small_cnn", trainable="head"), 10, 1)
    with pytest.raises(RecipeError, match="no hidden weight"):
        build_fit(model, models.head_of(model), _recipe(Muon()), 10, CPU)


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_averaged_weights_are_the_closed_form_and_buffers_are_copied(decay: float) -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    averaged = Averaged(model, decay)
    expected = float(model[0].weight)
    for t in range(1, 8):
        nn.init.constant_(model[0].weight, float(t))
        averaged.update(model)
        d = min(decay, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * t
    model[1].running_mean.fill_(5.0)
    network = averaged.network(model)
    assert float(network[0].weight) == pytest.approx(expected, rel=1e-5)  # type: ignore[index]
    assert float(network[1].running_mean) == 5.0  # type: ignore[index]
    assert not any(p.requires_grad for p in network.parameters())


def test_precision_follows_request_device_and_network(monkeypatch: pytest.MonkeyPatch) -> None:
    dense, depthwise = nn.Conv2d(64, 64, 3), nn.Conv2d(64, 64, 3, groups=64)
    choose = optimization.resolve_precision
    monkeypatch.setattr(optimization, "_cpu_has_bfloat16", lambda: True)
    assert choose("auto", CPU, dense) == torch.bfloat16
    assert choose("auto", CPU, depthwise) == torch.float32
    assert choose("auto", CPU, nn.Conv2d(1, 8, 3)) == torch.float32
    assert choose("float32", CPU, dense) == torch.float32
    monkeypatch.setattr(optimization, "_cpu_has_bfloat16", lambda: False)
    assert choose("auto", CPU, dense) == torch.float32
    assert choose("bfloat16", CPU, dense) == torch.bfloat16


def test_muon_gives_head_and_biases_their_own_rates() -> None:
    model = models.build(Model(name="small_cnn"), 10, 1)
    muon = Muon(lr=0.1, rest=Sgd(lr=0.05, weight_decay=0.0), head_lr=0.5, bias_lr=5.0)
    built = optimization.build_optimizers(model, models.head_of(model), _recipe(muon))
    rates = {g["name"]: g["peak_lr"] for o in built for g in o.param_groups}
    assert rates == {"hidden": 0.1, "undecayed": 0.05, "bias": 5.0, "head": 0.5}
