"""Top-1 and NLL of a split, as exact sums over samples: nothing padded, dropped, or averaged twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sightline import distributed


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Sums over the samples of a split."""

    correct: float
    """Σ credit: 1 where the label has the one highest logit, 1/m where it shares the maximum with m - 1 others."""
    nll_sum: float
    """Σ -ln p(label) in nats, over the samples with finite logits."""
    num_finite: int
    """Samples with finite logits."""
    n: int
    """All samples, unreadable ones among them: they count as wrong."""

    @property
    def top1(self) -> float:
        """Share of correct samples."""
        return self.correct / self.n

    @property
    def nll(self) -> float | None:
        """Mean NLL; none when no sample has finite logits."""
        return self.nll_sum / self.num_finite if self.num_finite else None


@torch.no_grad()
def validate(model: nn.Module, batches: Iterable[Any], n: int, device: torch.device) -> Validation:
    """Validation of a model over the batches of this rank, summed over all ranks; `n` counts the whole split.

    float32 whatever the training's precision, as in prediction. The model is put back into its mode.
    """
    was_training = {m: m.training for m in model.modules()}
    model.eval()
    correct, nll_sum = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))
    num_finite = torch.zeros((), dtype=torch.int64, device=device)
    for batch in batches:
        if not len(batch.labels_b):
            continue
        logits_bk = model(batch.images_bchw.to(device, non_blocking=True)).double()
        labels_b = batch.labels_b.to(device, non_blocking=True)
        is_finite = logits_bk.isfinite().all(1)
        correct += (credit(logits_bk, labels_b) * is_finite).sum()
        nll_sum += torch.where(is_finite, F.cross_entropy(logits_bk, labels_b, reduction="none"), 0.0).sum()
        num_finite += is_finite.sum()
    for module, mode in was_training.items():
        module.training = mode
    sums = distributed.summed([float(correct), float(nll_sum)], device)
    finite = distributed.summed([int(num_finite)], device)
    return Validation(correct=sums[0], nll_sum=sums[1], num_finite=finite[0], n=n)


def credit(logits_bk: Tensor, labels_b: Tensor) -> Tensor:
    """Credit of each sample (float64): 1/m if the label is among the m classes that share the highest logit, else 0."""
    is_highest = logits_bk == logits_bk.amax(1, keepdim=True)
    hit = is_highest.gather(1, labels_b[:, None]).squeeze(1)
    return hit.double() / is_highest.sum(1).clamp(min=1)
