"""From answers to probabilities: exponents fitted to the likelihood of the given labels, and products of experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_ITERATIONS = 50
_BLOCK = 16_384


@dataclass(frozen=True)
class Blend:
    """Weights of several sources of answers: log p = sum of weight x answer, normalized."""

    weights: tuple[float, ...]
    """One for each source, >= 0. Of one source it is the inverse of a temperature."""
    loss: float
    """Mean negative log-likelihood (nats) of the labels it was fitted to."""

    def log_probabilities(self, answers: Sequence[Array]) -> Array:
        """(n, classes), of the type of the first answers, from the answers of each source (n, classes)."""
        out = np.empty_like(answers[0])
        for begin in range(0, len(out), _BLOCK):
            parts = (np.float32(w) * a[begin : begin + _BLOCK].astype(np.float32)
                     for w, a in zip(self.weights, answers, strict=True))  # fmt: skip
            out[begin : begin + _BLOCK] = log_softmax(np.asarray(sum(parts)))
        return out


def log_softmax(values: Array) -> Array:
    """Logarithms of the shares of exp(values) in each row of floats (n, classes), of their type."""
    shifted = values - values.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def blend(answers: Sequence[Array], labels: Array) -> Blend:
    """The weights that make the labels most likely: temperature scaling (Guo et al. 2017) for one source or several.

    `answers` are floats (n, classes) of each source, `labels` int64 (n,). The likelihood is concave in the weights;
    Newton's method with halved steps. A source that tells nothing beside the others gets the weight 0.
    """
    stacked = np.stack([a.astype(np.float64) for a in answers])
    rows = np.arange(len(labels))
    own = stacked[:, rows, labels]

    def loss_of(weights: Array) -> tuple[float, Array]:
        logs = log_softmax(np.tensordot(weights, stacked, 1))
        return float(-logs[rows, labels].mean()), np.exp(logs)

    weights = np.full(len(answers), 1.0)
    loss, chances = loss_of(weights)
    for _ in range(_ITERATIONS):
        mean = np.einsum("nk,snk->sn", chances, stacked)
        gradient = (mean - own).mean(1)
        curvature = np.einsum("nk,snk,tnk->st", chances, stacked, stacked) / len(labels) - mean @ mean.T / len(labels)
        is_free = (weights > 0) | (gradient < 0)
        if not is_free.any():
            break
        step = np.zeros_like(weights)
        part = curvature[np.ix_(is_free, is_free)] + 1e-12 * np.eye(int(is_free.sum()))
        step[is_free] = -np.linalg.solve(part, gradient[is_free])
        before = loss
        for halving in range(12):
            tried = np.clip(weights + step * 0.5**halving, 0, 1e6)
            new, found = loss_of(tried)
            if new < loss:
                weights, loss, chances = tried, new, found
                break
        if before - loss < 1e-9:
            break
    return Blend(tuple(float(w) for w in weights), loss)
