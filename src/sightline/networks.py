"""Two small networks of our own, which train in minutes on two CPU cores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Four 3×3 convolutions for images of 8 to 32 px: `images_bchw` → `logits_bk`. 0.14 M parameters in grey."""

    def __init__(self, num_classes: int, in_channels: int, *, width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        widths = (in_channels, width, 2 * width, 2 * width, 4 * width)
        self.convs = nn.ModuleList(_conv3(i, o) for i, o in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in widths[1:])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * 4 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [b, k]."""
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = conv(x)
            x = F.relu(norm(F.max_pool2d(x, 2) if i in {0, 2} else x))  # 28 px → 14 → 7, 8 px → 4 → 2
        logits_bk: Tensor = self.head(self.dropout(F.adaptive_max_pool2d(x, 2).flatten(1)))
        return logits_bk


class WhitenedCNN(nn.Module):
    """A frozen whitening stem, blocks that halve the map, a global maximum and a scaled linear head.

    The defaults are for 32 px; `stem_kernel=4, stem_stride=2, stem_width=24` and four widths serve 64 to 160 px.
    The design follows airbench94 (K. Jordan, 94% on CIFAR-10 in 3.29 seconds, 2024), drawn for two CPU cores.
    """

    def __init__(
        self, num_classes: int, in_channels: int, *, widths: Sequence[int] = (64, 128, 256), stem_kernel: int = 2,
        stem_stride: int = 1, stem_width: int | None = None, head_scale: float = 1 / 9,
    ) -> None:  # fmt: skip
        super().__init__()
        stem_width = stem_width or 2 * in_channels * stem_kernel**2
        if stem_width % 2 or stem_width > 2 * in_channels * stem_kernel**2:
            raise TypeError(f"stem_width must be even and at most {2 * in_channels * stem_kernel**2}, got {stem_width}")
        self.stem = nn.Conv2d(in_channels, stem_width, stem_kernel, stem_stride)
        self.blocks = nn.Sequential(*(_Block(i, o) for i, o in pairwise((stem_width, *widths))))
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        self.head_scale = head_scale
        # Filters that at first pass their input on let so shallow a net train at a high rate from the first update.
        for module in self.blocks.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.dirac_(module.weight[: module.in_channels].data)
        self.stem.weight.requires_grad_(False)

    @torch.no_grad()
    def fit_stem(self, images_bchw: Tensor) -> None:
        """Set the stem to the strongest filters that whiten patches of normalised training images; it stays so."""
        channels, k, half = images_bchw.shape[1], self.stem.kernel_size[0], self.stem.out_channels // 2
        windows = images_bchw.unfold(2, k, k).unfold(3, k, k).permute(0, 2, 3, 1, 4, 5)
        patches = windows.reshape(-1, channels * k * k).double()
        patches = patches - patches.mean(0)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        vectors = vectors * torch.where(vectors.sum(0) < 0, -1.0, 1.0)  # LAPACK leaves the sign open
        filters = (vectors / (values + 5e-4).sqrt()).T.flip(0).reshape(-1, channels, k, k)[:half]
        self.stem.weight.copy_(torch.cat([filters, -filters]))
        if self.stem.bias is not None:
            nn.init.zeros_(self.stem.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [b, k]."""
        x = self.blocks(F.gelu(self.stem(x)))  # 32 px → 31 → 15 → 7 → 3
        logits_bk: Tensor = self.head(x.amax((2, 3))) * self.head_scale
        return logits_bk


class _Block(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv3(c_in, c_out), nn.BatchNorm2d(c_out, momentum=0.4)
        self.conv2, self.norm2 = _conv3(c_out, c_out), nn.BatchNorm2d(c_out, momentum=0.4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


def _conv3(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
