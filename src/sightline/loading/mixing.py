"""MixUp and CutMix on an assembled batch; the plain reference is `augmentation.mixed`.

The partner of place i is place n - 1 - i: the order of an epoch is random, so the partner is too. A rank holds both
places of a pair, so that any number of ranks mixes the same images with the same weight.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sightline.augmentation import Mixture

CPU_PAIRS = 1
"""Pairs worked on at a time on the CPU: two images of 224 px stay in its cache. An accelerator takes all at once."""


def mix(
    images_bchw: torch.Tensor, labels_b: torch.Tensor, num_classes: int, mixture: Mixture, is_fine_b: torch.Tensor
) -> torch.Tensor:
    """Float32 targets [b, num_classes] of the images, which are mixed in place.

    A pair stays as it is where one of the two is not fine, and so does the middle of an odd number.
    """
    n = len(images_bchw)
    targets = F.one_hot(labels_b, num_classes).float()
    is_mixed = is_fine_b & is_fine_b.flip(0)
    if n % 2:
        is_mixed[n // 2] = False
    firsts = is_mixed[: n // 2].nonzero()[:, 0]
    step = CPU_PAIRS if images_bchw.device.type == "cpu" else max(len(firsts), 1)
    for i in torch.split(firsts, step):
        j = n - 1 - i
        _mix_pairs(images_bchw, i.to(images_bchw.device), j.to(images_bchw.device), mixture)
    mixed = mixture.weight * targets + (1 - mixture.weight) * targets.flip(0)
    return torch.where(is_mixed[:, None], mixed, targets)


def _mix_pairs(images_bchw: torch.Tensor, i: torch.Tensor, j: torch.Tensor, mixture: Mixture) -> None:
    if mixture.box is not None:
        top, left, height, width = mixture.box
        part = images_bchw[:, :, top : top + height, left : left + width]
        part[i], part[j] = part[j], part[i]
        return
    a, b = images_bchw[i], images_bchw[j]
    images_bchw[i] = mixture.weight * a + (1 - mixture.weight) * b
    images_bchw[j] = mixture.weight * b + (1 - mixture.weight) * a
