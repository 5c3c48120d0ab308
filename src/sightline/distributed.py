"""Several processes as one: ranks from torchrun's environment, exact sums, gradients and batch statistics over all.

Gradients are added, not averaged: each rank contributes the gradient of its samples' loss over the global number of
samples, so uneven shares weigh what they hold. One flat sum after the backward pass (no hooks, no buckets) keeps a
rank with no samples, micro-batches and a person's own step correct without special cases.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn import functional as differentiable

from sightline.errors import SightlineError

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
T = TypeVar("T")

TIMEOUT = timedelta(minutes=10)
"""After which a rank that waits for a lost one gives up."""


@dataclass(frozen=True)
class World:
    """How many processes work together and which one this is."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Rank on this machine: the number of its accelerator."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and talks to the person."""
        return self.rank == 0


def world_of_environment() -> World:
    """The world that torchrun describes in RANK, WORLD_SIZE and LOCAL_RANK; alone without them."""
    try:
        rank, size, local = (int(os.environ.get(k, d)) for k, d in zip(_VARIABLES, ("0", "1", "0"), strict=True))
    except ValueError as e:
        raise SightlineError(f"{', '.join(_VARIABLES)} must be whole numbers ({e}). Start with torchrun.") from None
    if not 0 <= rank < size:
        raise SightlineError(f"RANK is {rank}, wanted 0 … {size - 1} (WORLD_SIZE is {size}). Start with torchrun.")
    return World(rank, size, local)


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device a name means; `auto` is the accelerator if there is one. Raises SightlineError if it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SightlineError(f"there is no device {name!r}; use auto, cpu, cuda, cuda:1 or mps.") from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = device.index if device.index is not None else local_rank
        if index >= count:
            raise SightlineError(f"device {name!r} was asked for; torch sees {count} CUDA devices. Use --device cpu.")
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SightlineError("device 'mps' was asked for; torch sees none. Use --device cpu.")
    return device


@contextmanager
def joined(device_type: str) -> Iterator[World]:
    """The world, its processes connected while the block runs: gloo on CPU, nccl on CUDA; nothing to connect alone."""
    world = world_of_environment()
    if world.size == 1 or dist.is_initialized():
        yield world
        return
    dist.init_process_group("nccl" if device_type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield world
    finally:
        dist.destroy_process_group()


def summed(values: Sequence[int] | Sequence[float], device: torch.device | str = "cpu") -> list[Any]:
    """Element-wise sums over all ranks: int64 for integers, float64 for floats."""
    is_whole = all(isinstance(v, int) for v in values)
    if not _is_connected():
        return list(values)
    tensor = torch.tensor(values, dtype=torch.int64 if is_whole else torch.float64, device=device)
    dist.all_reduce(tensor)
    return list(tensor.tolist())


def gathered(value: Any) -> list[Any]:
    """`value` of every rank, in the order of ranks; it travels pickled, between processes of one training."""
    if not _is_connected():
        return [value]
    out: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(out, value)
    return out


def of_first(make: Callable[[], T]) -> T:
    """What `make` returns on the first rank, which alone calls it; what it raises is raised on every rank."""
    made: list[Any] = [None, None]
    if not _is_connected() or dist.get_rank() == 0:
        try:
            made[0] = make()
        except SightlineError as e:
            made[1] = e
    if _is_connected():
        dist.broadcast_object_list(made)
    if made[1] is not None:
        raise made[1]
    return made[0]  # type: ignore[no-any-return]


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its sum over all ranks; a rank without samples counts as zeros."""
    if not _is_connected():
        return
    trainable = [p for p in parameters if p.requires_grad]
    for p in trainable:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    flat = torch.cat([p.grad.reshape(-1) for p in trainable if p.grad is not None])
    dist.all_reduce(flat)
    start = 0
    for p in trainable:
        p.grad = flat[start : start + p.numel()].view_as(p)
        start += p.numel()


def wait() -> None:
    """Return when every rank has arrived."""
    if _is_connected():
        dist.barrier()


def _is_connected() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class SyncedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the samples of all ranks; running statistics are then the same everywhere.

    torch's own synchronised layer needs CUDA; this one takes any backend. Averaging per-rank variances instead would
    leave out the spread between ranks.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        if input.dim() < 2:
            raise ValueError(f"expected [batch, channels, …], got {input.dim()} dimensions")

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Normalised input, of the input's shape and dtype."""
        if not self.training:
            return super().forward(input)
        x = input.float()
        dims = [0, *range(2, x.dim())]
        shape = [1, -1, *([1] * (x.dim() - 2))]
        local = torch.full((1,), x.numel() / x.shape[1], device=x.device)
        sums = differentiable.all_reduce(torch.cat([x.sum(dims), local]))  # type: ignore[no-untyped-call]
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = x - mean.view(shape)
        variance = differentiable.all_reduce(centred.square().sum(dims)) / count  # type: ignore[no-untyped-call]
        self._track(mean.detach(), variance.detach() * count / (count - 1))
        y = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        out: Tensor = y.to(input.dtype)
        return out

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def _require_plain(norm: nn.Module) -> None:
    if type(norm) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
        raise SightlineError(f"{type(norm).__name__} is a BatchNorm of its own kind, which cannot be shared exactly "
                             "between processes. Train in one process, or use a model with torch.nn.BatchNorm layers.")


def sync_batch_norm(module: nn.Module) -> nn.Module:
    """`module` with every BatchNorm layer normalising over all ranks, parameters and their names kept."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            _require_plain(child)
            synced = SyncedBatchNorm(child.num_features, child.eps, child.momentum, child.affine,
                                     child.track_running_stats)  # fmt: skip
            synced._parameters, synced._buffers = child._parameters, child._buffers
            synced.train(child.training)
            setattr(module, name, synced)
        else:
            sync_batch_norm(child)
    return module
