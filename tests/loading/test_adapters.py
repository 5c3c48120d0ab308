"""The adapter for torch's DataLoader gives the Loader's bytes: in any process, however started, in any epoch."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader

import sightline as sl
from sightline import adapters
from sightline.augmentation import Augmentation, MixUp, none
from sightline.errors import ContractError, DataError, RecipeError
from sightline.loading import Loader
from tests.loading.adapting import CASES
from tests.loading.material import PHOTO, TINY, N
from tests.loading.tables import table_of_files
from tests.sources import TRUNCATED, jpeg, write_files


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, sources: dict[str, sl.SampleTable]) -> tuple[sl.SampleTable, dict[str, Any]]:
    kind, augmentation = CASES[request.param]
    contract = PHOTO if kind == "files" else TINY
    return sources[kind], {"preprocessing": contract, "augmentation": augmentation, "seed": 3}


def of_loader(samples: sl.SampleTable, settings: dict[str, Any], epoch: int, batch_size: int = 8) -> list[Any]:
    loader = Loader(samples, **settings, batch_size=batch_size, threads=0)
    batches = loader.epoch(epoch) if loader.is_training else iter(loader)
    return [(b.images_bchw.clone(), b.labels_b.clone()) for b in batches]


def same(mine: Iterable[Any], theirs: Iterable[Any]) -> bool:
    pairs = list(zip(mine, theirs, strict=True))
    return all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in pairs)


def fed(dataset: adapters.SampleDataset, **change: Any) -> DataLoader[Any]:
    facts = {"batch_size": 8, "sampler": dataset.sampler(), "drop_last": dataset.augmentation is not None,
             "worker_init_fn": dataset.worker_init_fn, "generator": dataset.generator()}  # fmt: skip
    return DataLoader(dataset, **{**facts, **change})


def test_batches_of_a_data_loader_are_the_loaders(case: tuple[sl.SampleTable, dict[str, Any]]) -> None:
    samples, facts = case
    dataset = adapters.dataset(samples, **facts)
    for epoch in (0, 5, 1):
        dataset.set_epoch(epoch)
        assert same(fed(dataset), of_loader(samples, facts, epoch))


@pytest.mark.parametrize(("name", "way"), [("photographs", "fork"), ("tiny", "fork"), ("photographs", "spawn")])
def test_workers_give_the_same_bytes_and_hear_of_new_epochs(
    name: str, way: str, sources: dict[str, sl.SampleTable]
) -> None:
    """Persistent workers began in epoch 4 and are asked for 5 and again for 4."""
    kind, augmentation = CASES[name]
    facts = {"preprocessing": PHOTO if kind == "files" else TINY, "augmentation": augmentation, "seed": 3}
    dataset = adapters.dataset(sources[kind], **facts)
    dataset[0]  # what is open here stays here
    batches = fed(dataset, num_workers=2, persistent_workers=True, multiprocessing_context=way)
    wanted = {epoch: of_loader(sources[kind], facts, epoch) for epoch in (4, 5)}
    assert not same(wanted[4], wanted[5])
    for epoch in (4, 5, 4):
        dataset.set_epoch(epoch)
        assert same(batches, wanted[epoch])
    dataset.set_epoch(5)
    next(iter(batches))  # an epoch that is left early
    dataset.set_epoch(4)
    assert same(batches, wanted[4])


def test_a_worker_starts_where_it_forks(sources: dict[str, sl.SampleTable]) -> None:
    """What fork hands down of open files and locks is not used: a held lock would hang the worker."""
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=none(), seed=3)
    dataset[0]
    assert dataset._tiles is not None
    with dataset._tiles._native._lock:
        batches = fed(dataset, num_workers=1, multiprocessing_context="fork", timeout=60)
        wanted = of_loader(sources["files"], {"preprocessing": PHOTO, "augmentation": none(), "seed": 3}, 0)
        assert same(batches, wanted)


@given(
    epoch=st.integers(0, 99), seed=st.integers(0, 2**40), world_size=st.sampled_from((1, 2, 4, 5, 7)),
    share=st.integers(1, 7),
)  # fmt: skip
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranks_share_the_loaders_order(
    epoch: int, seed: int, world_size: int, share: int, sources: dict[str, sl.SampleTable]
) -> None:
    samples = sources["arrays"]
    dataset = adapters.dataset(samples, preprocessing=TINY, augmentation=none(), seed=seed)
    dataset.set_epoch(epoch)
    facts = {"preprocessing": TINY, "augmentation": none(), "seed": seed, "threads": 0}
    for rank in range(world_size):
        order = list(dataset.sampler(rank, world_size))
        assert len(order) == len(dataset.sampler(rank, world_size)) == N // world_size
        loader = Loader(samples, **facts, batch_size=share * world_size, rank=rank, world_size=world_size)
        batches = [b.positions.tolist() for b in loader.epoch(epoch)]
        whole = [order[i : i + share] for i in range(0, len(order) - share + 1, share)]
        assert whole == [b for b in batches if len(b) == share]


@given(world_size=st.integers(1, 7))
@settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_evaluation_each_sample_is_on_one_rank(world_size: int, sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["arrays"], preprocessing=TINY)
    rows = [row for rank in range(world_size) for row in dataset.sampler(rank, world_size)]
    assert sorted(rows) == list(range(N))
    assert list(dataset.sampler()) == list(range(N))


def test_the_samplers_epoch_is_the_datasets(sources: dict[str, sl.SampleTable]) -> None:
    """Trainers that know distributed samplers call set_epoch on them."""
    dataset = adapters.dataset(sources["arrays"], preprocessing=TINY, augmentation=none())
    sampler: Any = dataset.sampler()
    before = list(sampler)
    sampler.set_epoch(7)
    assert dataset.epoch == 7
    assert list(sampler) != before
    with pytest.raises(RecipeError, match=r"0 … 1"):
        dataset.sampler(2, 2)


def test_the_order_of_asking_changes_no_item(sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=CASES["photographs"][1], seed=3)
    together = dataset.__getitems__(list(range(N)))
    for i in (5, 0, -1, 11):
        image, label = dataset[i]
        assert torch.equal(image, together[i][0])
        assert label == together[i][1] == int(sources["files"].labels[i])
    assert image.shape == (3, 24, 20)
    assert image.dtype == torch.float32
    for out in (N, -N - 1):
        with pytest.raises(IndexError):
            dataset[out]
    assert len(list(dataset)) == len(dataset) == N


def test_loading_leaves_the_global_generators_alone(sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=CASES["photographs"][1])
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    list(fed(dataset))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()
    assert torch.equal(dataset.generator().get_state(), dataset.generator().get_state())


class Drawing(torch.utils.data.Dataset[tuple[float, float, float]]):
    """Items that come from the three global generators, as careless code draws them."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))


def test_the_generators_of_workers_are_functions_of_seed_epoch_and_worker(sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["arrays"], preprocessing=TINY, augmentation=none(), seed=3)

    def drawn(epoch: int) -> list[tuple[float, ...]]:
        dataset.set_epoch(epoch)
        torch.manual_seed(random.randrange(1000))  # whatever the process did before
        batches = DataLoader(Drawing(), batch_size=2, num_workers=2, worker_init_fn=dataset.worker_init_fn)
        return [tuple(torch.stack(b, 1).flatten().tolist()) for b in batches]

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first == again
    assert len({*first, *other}) == 4  # two workers in two epochs


@pytest.mark.parametrize("way", [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))], ids=["copied", "pickled"])
def test_copies_give_the_same_items(way: Callable[[Any], Any], sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=CASES["photographs"][1], seed=3)
    dataset.set_epoch(2)
    dataset[0]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(way(dataset), dataset, strict=True))


def test_what_cannot_be_read_is_told(sources: dict[str, sl.SampleTable], tmp_path: Path) -> None:
    write_files(tmp_path, {"good.jpg": jpeg(), "gone.jpg": jpeg(1), "half.jpg": TRUNCATED["half.jpg"]})
    samples = table_of_files(tmp_path, ["good.jpg", "gone.jpg", "half.jpg"])
    (tmp_path / "gone.jpg").unlink()
    dataset = adapters.dataset(samples, preprocessing=TINY)
    dataset[0]
    for i, reason in ((1, "gone.jpg .*missing"), (2, "half.jpg .*damaged")):
        with pytest.raises(DataError, match=reason):
            dataset[i]
        with pytest.raises(DataError, match=reason):
            _raised_in_a_worker(dataset, i)
    read = samples.hashed()
    with pytest.raises(DataError, match=r"2 of 3 samples .*samples\.take\(samples\.is_ok\)"):
        adapters.dataset(read, preprocessing=TINY)
    assert len(adapters.dataset(read.take(read.is_ok), preprocessing=TINY)) == 1


def _raised_in_a_worker(dataset: adapters.SampleDataset, index: int) -> None:
    """As a DataLoader brings a worker's exception over; a real worker that failed takes torch five seconds to stop."""
    try:
        dataset[index]
    except DataError:
        ExceptionWrapper(where="in a worker").reraise()


def test_labels(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.jpg": jpeg(), "b.jpg": jpeg(1)})
    samples = table_of_files(tmp_path, ["a.jpg", "b.jpg"], [1, None])
    assert [label for _, label in adapters.dataset(samples, preprocessing=TINY)] == [1, -1]
    with pytest.raises(DataError, match="no label"):
        adapters.dataset(samples, preprocessing=TINY, augmentation=none())
    with pytest.raises(ContractError, match="classes"):
        adapters.dataset(samples, preprocessing=TINY.with_classes(("x", "y", "z")))


def test_mixing_is_refused(sources: dict[str, sl.SampleTable]) -> None:
    mixed = Augmentation(transforms=(), mixing=(MixUp(),))
    with pytest.raises(RecipeError, match="mixing"):
        adapters.dataset(sources["arrays"], preprocessing=TINY, augmentation=mixed)
    with pytest.raises(RecipeError, match="mixing"):
        adapters.transform(TINY, mixed)
