"""Batch memory comes back when, and only when, nobody looks at it any more."""

from __future__ import annotations

import gc

import numpy as np
import torch

from sightline.loading.buffers import Buffers


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_when_the_last_tensor_is_gone() -> None:
    buffers = Buffers(4, 2, np.empty)
    array = buffers.take(4, (2, 2, 3))
    place = address(array)
    images = torch.from_numpy(array).permute(0, 3, 1, 2)
    part = images[1:2, :, :1]
    del array
    gc.collect()
    assert address(buffers.take(4, (2, 2, 3))) != place
    del images
    gc.collect()
    assert address(buffers.take(4, (2, 2, 3))) != place  # `part` still looks at it
    del part
    gc.collect()
    assert address(buffers.take(3, (2, 2, 3))) == place  # also for a smaller batch


def test_a_graph_that_needs_the_images_keeps_them() -> None:
    buffers = Buffers(1, 1, np.empty)
    array = buffers.take(1, (1, 1, 1))
    place = address(array)
    array[:] = 3
    weight = torch.ones(1, requires_grad=True)
    loss = (torch.from_numpy(array) * weight).sum()
    del array
    gc.collect()
    other = buffers.take(1, (1, 1, 1))
    assert address(other) != place
    other[:] = 100
    loss.backward()
    assert weight.grad is not None
    assert weight.grad.item() == 3


def test_another_shape_starts_afresh_and_no_more_than_asked_is_kept() -> None:
    buffers = Buffers(2, 1, np.empty)
    arrays = [buffers.take(2, (4, 4, 3)) for _ in range(3)]
    first = {address(a) for a in arrays}
    del arrays
    gc.collect()
    again = [buffers.take(2, (4, 4, 3)) for _ in range(2)]
    assert len(buffers._free) == 0
    assert address(again[0]) in first
    small = buffers.take(2, (2, 2, 3))
    del again
    gc.collect()
    assert buffers._free == []  # the former shape is not kept
    assert small.shape == (2, 2, 2, 3)
