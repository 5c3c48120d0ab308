"""Optimizers as values: what a recipe says; `sightline.optimization` builds them."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.recipes.fields import check, require


def _check(optimizer: Sgd | AdamW | Muon) -> None:
    check(optimizer)
    name = type(optimizer).__name__
    require(optimizer.lr > 0, f"{name}.lr must be > 0, got {optimizer.lr}.")
    require(optimizer.weight_decay >= 0, f"{name}.weight_decay must be ≥ 0, got {optimizer.weight_decay}.")
    if not isinstance(optimizer, AdamW):
        require(0 <= optimizer.momentum < 1, f"{name}.momentum lies in [0, 1), got {optimizer.momentum}.")
    reference = optimizer.reference_batch_size
    require(reference is None or reference >= 1, f"{name}.reference_batch_size must be ≥ 1 or none, got {reference}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sgd:
    """Stochastic gradient descent with momentum; weight decay is added to the gradient, as in torch.optim.SGD."""

    lr: float = 0.1
    """Peak learning rate: of the whole global batch, or of `reference_batch_size` samples where that is given."""
    momentum: float = 0.9
    """Share of the previous step that is kept."""
    nesterov: bool = False
    """Look-ahead momentum. Said, never implied by a name: libraries disagree about what 'sgd' means."""
    weight_decay: float = 5e-4
    """L2 coefficient; norms and biases are left out."""
    reference_batch_size: int | None = None
    """With 256, the peak is lr · batch_size / 256 (linear scaling); with none, lr is the peak as it stands."""

    def __post_init__(self) -> None:
        _check(self)
        require(not self.nesterov or self.momentum > 0, "Sgd.nesterov needs a momentum > 0.")


@dataclass(frozen=True, kw_only=True, slots=True)
class AdamW:
    """Adam with decoupled weight decay, as in torch.optim.AdamW."""

    lr: float = 1e-3
    """Peak learning rate: of the whole global batch, or of `reference_batch_size` samples where that is given."""
    beta1: float = 0.9
    """Decay of the mean of gradients."""
    beta2: float = 0.999
    """Decay of the mean of squared gradients."""
    eps: float = 1e-8
    """Added to the denominator."""
    weight_decay: float = 0.05
    """Decoupled: a weight shrinks by lr · weight_decay at each update; norms and biases are left out."""
    reference_batch_size: int | None = None
    """With 256, the peak is lr · batch_size / 256 (linear scaling); with none, lr is the peak as it stands."""

    def __post_init__(self) -> None:
        _check(self)
        require(0 <= self.beta1 < 1 and 0 <= self.beta2 < 1, f"AdamW.beta1 and beta2 lie in [0, 1), got {self!r}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Muon:
    """Momentum whose step is orthogonalised per weight, for hidden convolutions and matrices; `rest` takes the others.

    Source: K. Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024). The classifier, norms,
    biases and embeddings are never orthogonalised.
    """

    lr: float = 0.1
    """Peak relative step: each update moves a weight of shape [out, …] by lr · √out in Frobenius norm."""
    momentum: float = 0.6
    """Nesterov momentum."""
    weight_decay: float = 0.0
    """Decoupled: a weight shrinks by lr · weight_decay at each update. Not together with `fixed_norm`."""
    fixed_norm: bool = True
    """Keep every weight on the sphere of norm √out: right where a normalisation layer follows, whose input's scale
    has no meaning, so that `lr` is a true relative step."""
    iterations: int = 3
    """Newton-Schulz iterations."""
    rest: Sgd | AdamW = Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.0)
    """Optimizer of every other parameter, on the same schedule."""
    head_lr: float | None = None
    """Peak learning rate of the classifier's weight, under the rule of `rest`; none: that of `rest`."""
    bias_lr: float | None = None
    """Peak learning rate of all biases, under the rule of `rest`; none: that of `rest`. Biases behind a normalisation
    bear far higher rates than its weights."""
    reference_batch_size: int | None = None
    """With 256, the peak is lr · batch_size / 256 (linear scaling); with none, lr is the peak as it stands."""

    def __post_init__(self) -> None:
        _check(self)
        require(self.bias_lr is None or self.bias_lr > 0, f"Muon.bias_lr must be > 0 or none, got {self.bias_lr}.")
        require(self.head_lr is None or self.head_lr > 0, f"Muon.head_lr must be > 0 or none, got {self.head_lr}.")
        require(self.iterations >= 1, f"Muon.iterations must be ≥ 1, got {self.iterations}.")
        is_one = not (self.fixed_norm and self.weight_decay)
        require(is_one, "Muon.fixed_norm leaves weight_decay without effect; set one of them.")


Optimizer = Sgd | AdamW | Muon


def peak_lr(optimizer: Optimizer, batch_size: int) -> float:
    """The peak learning rate of an update on `batch_size` samples."""
    if optimizer.reference_batch_size is None:
        return optimizer.lr
    return optimizer.lr * batch_size / optimizer.reference_batch_size
