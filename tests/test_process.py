"""What fitting sets for its process is put back, whatever happens inside."""

from __future__ import annotations

import platform

import pytest
import torch

from sightline.process import keep_freed_memory, prepared


def test_random_state_and_kernels_are_put_back() -> None:
    cudnn = torch.backends.cudnn
    before, state = (cudnn.deterministic, cudnn.benchmark), torch.get_rng_state()

    def fail() -> None:
        with prepared(torch.device("cpu")):
            assert (cudnn.deterministic, cudnn.benchmark) == (True, False)
            torch.manual_seed(1)
            torch.rand(3)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (cudnn.deterministic, cudnn.benchmark) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_glibc_takes_the_settings() -> None:
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")
