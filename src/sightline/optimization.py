"""An optimizer update: parameter groups, optimizers, the loss over an explicit denominator, and the step itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sightline import distributed
from sightline.errors import RecipeError
from sightline.recipes import AdamW, CrossEntropy, Muon, Recipe, Sgd
from sightline.recipes.optimizers import peak_lr

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
MATRICES = (nn.Linear, nn.modules.conv._ConvNd)


def parameter_groups(model: nn.Module, head: nn.Module | None) -> dict[str, str]:
    """Name of each trainable parameter → its group, by the type of the module that holds it.

    `hidden`: weights of convolutions and linear layers before the classifier; `head`: the classifier's weight;
    `other`: further arrays of 2 or more dimensions; `bias`: every bias; `undecayed`: norms, other vectors and scalars,
    and what the model itself lists in `no_weight_decay()` (timm's position embeddings). Biases are not decayed either.
    Names do not decide: a BatchNorm called `downsample.1` is a norm.
    """
    ask: Any = getattr(model, "no_weight_decay", None)
    spared: set[str] = set(ask()) if callable(ask) else set()
    groups: dict[str, str] = {}
    of_head = {id(p) for p in head.parameters()} if head is not None else set()
    for prefix, module in model.named_modules():
        for leaf, p in module.named_parameters(recurse=False):
            name = f"{prefix}.{leaf}" if prefix else leaf
            if not p.requires_grad:
                continue
            if leaf == "bias":
                groups[name] = "bias"
            elif isinstance(module, NORMS) or p.ndim < 2 or name in spared:
                groups[name] = "undecayed"
            elif id(p) in of_head:
                groups[name] = "head"
            else:
                groups[name] = "hidden" if isinstance(module, MATRICES) and leaf == "weight" else "other"
    if not groups:
        raise RecipeError("the model has no trainable parameter: nothing can be fitted. Check model.trainable.")
    return groups


def build_optimizers(model: nn.Module, head: nn.Module | None, recipe: Recipe) -> tuple[torch.optim.Optimizer, ...]:
    """Optimizers of the recipe over the model's parameter groups; each group keeps its `peak_lr` and its `name`."""
    groups = parameter_groups(model, head)
    by_name = dict(model.named_parameters())
    chosen = recipe.optimizer

    def group(names: tuple[str, ...], weight_decay: float, lr: float) -> list[dict[str, Any]]:
        params = [by_name[n] for n, g in groups.items() if g in names]
        peak = {"lr": lr, "peak_lr": lr, "weight_decay": weight_decay, "name": "+".join(names)}
        return [{"params": params, **peak}] if params else []

    def plain(
        o: Sgd | AdamW, decayed: tuple[str, ...], head_lr: float | None, bias_lr: float | None
    ) -> tuple[torch.optim.Optimizer, ...]:
        lr = peak_lr(o, recipe.batch_size)
        parts = group(decayed, o.weight_decay, lr)
        if bias_lr is None:
            parts += group(("undecayed", "bias"), 0.0, lr)
        else:
            parts += group(("undecayed",), 0.0, lr) + group(("bias",), 0.0, bias_lr)
        parts += group(("head",), o.weight_decay, head_lr or lr)
        if not parts:
            return ()
        if isinstance(o, Sgd):
            return (torch.optim.SGD(parts, lr=lr, momentum=o.momentum, nesterov=o.nesterov, foreach=True),)
        return (torch.optim.AdamW(parts, lr=lr, betas=(o.beta1, o.beta2), eps=o.eps, foreach=True),)

    if not isinstance(chosen, Muon):
        return plain(chosen, ("hidden", "other"), None, None)
    hidden = group(("hidden",), chosen.weight_decay, recipe.peak_lr)
    rest = plain(chosen.rest, ("other",), chosen.head_lr, chosen.bias_lr)
    if not hidden:
        raise RecipeError("optimizer Muon has no hidden weight to work on (model.trainable='head'?). Use Sgd or AdamW.")
    muon = OrthogonalMomentum(hidden, momentum=chosen.momentum, fixed_norm=chosen.fixed_norm,
                              iterations=chosen.iterations)  # fmt: skip
    return (muon, *rest)


def set_lr(optimizers: tuple[torch.optim.Optimizer, ...], factor: float) -> None:
    """Set every group's learning rate to a share of its own peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor


def loss_sum(logits_bk: Tensor, labels_b: Tensor, loss: CrossEntropy) -> Tensor:
    """Sum over the samples of the loss, float32, never a mean: the caller owns the denominator.

    `labels_b` are class ids, or shares of the classes [b, k] where images were mixed.
    """
    return F.cross_entropy(logits_bk.float(), labels_b, reduction="sum", label_smoothing=loss.label_smoothing)


@dataclass(frozen=True)
class Fit:
    """What an update works with."""

    model: nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]
    loss: CrossEntropy
    num_classes: int
    clip_norm: float | None = None
    micro_batch_size: int | None = None
    precision: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the model runs forward."""
        return autocast(self.device, self.precision)


Step = Callable[[Fit, Tensor, Tensor, int], Tensor]
"""An update: (fit, images_bchw, labels_b or shares of classes [b, k], denominator) → sum of the local samples' losses,
detached, 0-d."""


def build_fit(model: nn.Module, head: nn.Module | None, recipe: Recipe, num_classes: int, device: torch.device) -> Fit:
    """What the recipe's updates of `model` work with."""
    return Fit(
        model, build_optimizers(model, head, recipe), recipe.loss, num_classes, recipe.clip_norm,
        recipe.micro_batch_size, resolve_precision(recipe.precision, device, model), device,
    )  # fmt: skip


def train_step(fit: Fit, images_bchw: Tensor, labels_b: Tensor, denominator: int) -> Tensor:
    """One update; returns the sum of the local samples' losses (float64, detached).

    `denominator` is the number of samples of the whole batch, over all micro-batches and ranks; each rank passes its
    own share of the batch, which may be empty.
    """
    total = torch.zeros((), dtype=torch.float64, device=fit.device)
    for images, labels in _micro_batches(images_bchw, labels_b, fit.micro_batch_size):
        with fit.autocast():
            logits_bk = fit.model(images)
        _check_logits(logits_bk, len(labels), fit.num_classes)
        loss = loss_sum(logits_bk, labels, fit.loss)
        (loss / denominator).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    distributed.sum_gradients(fit.model.parameters())
    if fit.clip_norm is not None:
        nn.utils.clip_grad_norm_(fit.model.parameters(), fit.clip_norm)
    for optimizer in fit.optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return total


def _micro_batches(images: Tensor, labels: Tensor, size: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    if size is None or len(labels) <= size:
        if len(labels):
            yield images, labels
        return
    for start in range(0, len(labels), size):
        yield images[start : start + size], labels[start : start + size]


def _check_logits(logits: Any, samples: int, num_classes: int) -> None:
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != (samples, num_classes):
        raise RecipeError(f"the model must return logits of shape ({samples}, {num_classes}), got {shape}. "
                          "Give its last layer num_classes outputs and return that tensor alone.")


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Mixed-precision context; does nothing for float32."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)


def resolve_precision(precision: str, device: torch.device, model: nn.Module) -> torch.dtype:
    """float32 or bfloat16: what `auto` means for a model on a device.

    On CPU bfloat16 needs the processor's own dot products, and pays for dense convolutions: 1.8 × the images per
    second of float32 for a ResNet-18, but 0.44 × for a MobileNet, whose convolutions are depthwise.
    """
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu" or not _cpu_has_bfloat16():
        return torch.float32
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    is_dense = all(m.groups == 1 for m in convolutions)
    widest = max((m.in_channels * m.out_channels for m in convolutions), default=0)
    return torch.bfloat16 if is_dense and widest >= 64 * 64 else torch.float32


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


class Averaged:
    """Exponential moving average of a model's parameters; buffers are the model's own, copied."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after an update."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)

    @torch.no_grad()
    def network(self, model: nn.Module) -> nn.Module:
        """The averaged network, with the buffers that `model` has now."""
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)
        return self.model


def orthogonalised(matrix: Tensor, iterations: int) -> Tensor:
    """A matrix [rows, columns] with its singular values pushed towards 1 by a quintic Newton-Schulz iteration.

    Source of the coefficients: K. Jordan et al., Muon (2024). They reach about 0.7 … 1.2, not exactly 1.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.float()
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if is_tall else x).to(matrix.dtype)


class OrthogonalMomentum(torch.optim.Optimizer):
    """Nesterov momentum whose step is orthogonalised per weight, filters flattened to [out, in · height · width].

    A step has the Frobenius norm lr · √out whatever the gradient's size. torch.optim.Muon takes matrices only.
    """

    def __init__(self, params: Any, *, momentum: float, fixed_norm: bool, iterations: int) -> None:
        super().__init__(params, {"momentum": momentum, "fixed_norm": fixed_norm, "iterations": iterations})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient = weight.grad
        assert gradient is not None
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        average = state["momentum"].mul_(group["momentum"]).add_(gradient)
        direction = gradient.add(average, alpha=group["momentum"])
        out = weight.shape[0]
        step = orthogonalised(direction.reshape(out, -1), group["iterations"]).view_as(weight)
        # A tall matrix [out > in] of orthonormal columns has norm √in; scaled up to √out like all others.
        scale = max(1.0, out * out / weight.numel()) ** 0.5
        if group["fixed_norm"]:
            weight.mul_(out**0.5 / (weight.norm() + 1e-7))
        elif group["weight_decay"]:
            weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(step, alpha=-group["lr"] * scale)
