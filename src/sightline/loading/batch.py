"""A batch, and its way from the memory that threads have filled to the device that uses it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sightline.preprocessing import Preprocessing

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Images and labels of one step, for this rank."""

    images_bchw: torch.Tensor
    """Normalized, channels_last, of the loader's dtype and on its device."""
    labels_b: torch.Tensor
    """int64 class ids; -1 where an evaluated sample has no label (cross-entropy refuses it)."""
    targets: torch.Tensor
    """What a loss is taken against: `labels_b`, or float32 shares of the classes [b, k] where images were mixed."""
    positions: npt.NDArray[np.int64]
    """Row numbers in the loader's table."""
    unreadable: list[tuple[int, str]]
    """Row number and reason of the samples that belong here and cannot be read; they are in none of the above."""

    def __len__(self) -> int:
        return len(self.positions)


class Destination:
    """Where images are used, and as what: float32 or bfloat16 on the CPU or on an accelerator.

    For the CPU the threads that decode also normalize, while an image lies in their cache. An accelerator is sent
    levels of one byte, from pinned memory and on a stream of its own, and normalizes them itself.
    """

    def __init__(
        self, contract: Preprocessing, levels: np.dtype[Any], dtype: torch.dtype, device: torch.device, is_late: bool
    ) -> None:
        """`is_late`: a transform works on normalized numbers, so the threads must normalize for any device."""
        self.dtype, self.device = dtype, device
        self.sends_levels = device.type != "cpu" and not is_late
        as_numbers = np.dtype(np.uint16 if dtype == torch.bfloat16 else np.float32)
        self.memory = levels if self.sends_levels else as_numbers
        """Type of the batch memory; bfloat16, which numpy lacks, lies in it as uint16."""
        self._numbers = tuple(torch.tensor(n, device=device).view(1, 1, 1, -1) for n in (contract.mean, contract.std))
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._under_way: deque[tuple[Any, Array]] = deque()

    def empty(self, shape: tuple[int, ...]) -> Array:
        """Uninitialized batch memory; pinned where it is to be copied to a CUDA device while other work goes on."""
        if self._stream is None or not self.sends_levels:
            return np.empty(shape, self.memory)
        kind = torch.uint8 if self.memory == np.uint8 else torch.float32
        return np.asarray(torch.empty(shape, dtype=kind, pin_memory=True).numpy())

    def images(self, filled: Array) -> torch.Tensor:
        """The images of filled batch memory, channels_last, where they are used."""
        if not self.sends_levels:
            numbers = torch.from_numpy(filled)
            numbers = numbers.view(torch.bfloat16) if self.dtype == torch.bfloat16 else numbers
            return numbers.to(self.device).permute(0, 3, 1, 2)
        if self._stream is None:
            return self.normalized(torch.from_numpy(filled).to(self.device))
        with torch.cuda.stream(self._stream):
            images = self.normalized(torch.from_numpy(filled).to(self.device, non_blocking=True))
            copied = self._stream.record_event()
        torch.cuda.current_stream(self.device).wait_stream(self._stream)
        images.record_stream(torch.cuda.current_stream(self.device))
        # The memory may not be filled again before the copy has left it.
        self._under_way.append((copied, filled))
        while self._under_way[0][0].query() and len(self._under_way) > 1:
            self._under_way.popleft()
        return images

    def normalized(self, levels_bhwc: torch.Tensor) -> torch.Tensor:
        """(levels / 255 - mean) / std, computed in float32 in the contract's order, as channels_last images."""
        mean, std = self._numbers
        numbers = levels_bhwc.to(torch.float32).div_(255).sub_(mean).div_(std)
        return numbers.to(self.dtype).permute(0, 3, 1, 2)
