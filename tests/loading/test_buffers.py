"""Batch memory comes back when, and only when, nobody looks at it any more."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from sightline.augmentation import none
from sightline.loading import Loader
from sightline.loading.buffers import Buffers
from sightline.loading.loader import PREFETCH
from sightline.samples import SampleTable
from tests.loading.material import TINY


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


def test_no_more_than_asked_is_kept_and_nothing_of_another_shape() -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def empty(shape: tuple[int, ...]) -> np.ndarray:
        array = np.empty(shape)
        made.append(weakref.ref(array))
        return array

    def num_held() -> int:
        return sum(array() is not None for array in made)

    buffers = Buffers(2, 2, empty)
    batches = [buffers.take(2, (4, 4, 3)) for _ in range(5)]
    assert num_held() == len(made) == 5
    del batches
    assert num_held() == 2
    batches = [buffers.take(2, (4, 4, 3)) for _ in range(2)]
    assert len(made) == 5
    batches.append(buffers.take(2, (2, 2, 3)))
    assert num_held() == 3
    del batches[:2]
    assert num_held() == 1
    del buffers, batches
    assert num_held() == 0


def test_batches_that_are_never_let_go_do_not_stand_in_the_way() -> None:
    buffers = Buffers(1, 2, np.empty)
    held = [buffers.take(1, (9, 9, 3)) for _ in range(3)]
    array = buffers.take(1, (9, 9, 3))
    place = address(array)
    del array
    array = buffers.take(1, (9, 9, 3))
    assert address(array) == place
    assert len(held) == 3


def test_a_loader_makes_no_more_memory_than_is_in_use_at_once(
    arrays: SampleTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(arrays, preprocessing=TINY, augmentation=none(), batch_size=4, threads=2)
    made: list[tuple[int, ...]] = []
    monkeypatch.setattr(loader._buffers, "_empty", lambda shape: made.append(shape) or np.empty(shape, np.float32))
    for _ in range(3):
        for _batch in loader:
            pass
    assert 0 < len(made) <= PREFETCH + 2
