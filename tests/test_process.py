from __future__ import annotations

import platform

import pytest
import torch

from sightline import process

CPU = torch.device("cpu")


def test_random_state_threads_and_kernels_are_put_back() -> None:
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    with process.prepared(CPU):
        torch.manual_seed(99)
        torch.rand(5)
        process.choose_threads(10)
        assert torch.get_num_threads() == 1
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == flags


def test_large_batches_keep_the_threads() -> None:
    threads = torch.get_num_threads()
    with process.prepared(CPU):
        process.choose_threads(process.SMALL_BATCH_PIXELS)
        assert torch.get_num_threads() == threads


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_glibc_takes_the_settings() -> None:
    assert process.keep_freed_memory()
