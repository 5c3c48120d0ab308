"""The loader's guarantees: the same bytes for any threads, ranks and interruptions; nothing dropped or doubled."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline import augmentation
from sightline.loading import Loader, tiles
from sightline.samples import SampleTable
from tests.loading.material import PHOTO, SHIFT, TINY, N, by_sample, bytes_of


def test_the_same_bytes_for_any_number_of_threads(make: Callable[..., Loader]) -> None:
    wanted = bytes_of(make(threads=0).epoch(5))
    assert len(wanted) == N // 8
    for threads in (1, 2, 7):
        loader = make(threads=threads)
        assert bytes_of(loader.epoch(5)) == wanted
        assert bytes_of(loader.epoch(5)) == wanted  # now from the cache


def test_the_same_bytes_with_and_without_a_cache(make: Callable[..., Loader]) -> None:
    wanted = bytes_of(make().epoch(5))
    for cache_bytes in (0, 20_000):
        loader = make(cache_bytes=cache_bytes, threads=2)
        assert bytes_of(loader.epoch(5)) == bytes_of(loader.epoch(5)) == wanted


def test_the_same_bytes_however_a_batch_is_cut_into_tasks(
    make: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = bytes_of(make().epoch(5))
    for name, size in (("GATHER_BYTES", 4000), ("TILE_BYTES", 3000), ("VIEW_ROWS", 3)):
        monkeypatch.setattr(tiles, name, size)
    assert bytes_of(make(threads=2).epoch(5)) == wanted


def test_ranks_together_are_one_rank(make: Callable[..., Loader]) -> None:
    alone = list(make().epoch(2))
    for world_size in (2, 4):
        ranks = [list(make(rank=r, world_size=world_size).epoch(2)) for r in range(world_size)]
        assert {len(r) for r in ranks} == {len(alone)}
        for step, whole in enumerate(alone):
            assert by_sample(r[step] for r in ranks) == by_sample([whole])


def test_an_epoch_is_a_pure_function_of_seed_and_epoch(make: Callable[..., Loader]) -> None:
    loader = make()
    first, second = bytes_of(loader.epoch(0)), bytes_of(loader.epoch(1))
    assert first != second
    assert bytes_of(loader.epoch(0)) == first
    assert bytes_of(make(seed=4).epoch(0)) != first
    assert bytes_of(make().epoch(1)) == second


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, N // 8), epoch=st.integers(0, 99))
def test_a_resumed_epoch_goes_on_with_the_same_bytes(make: Callable[..., Loader], start: int, epoch: int) -> None:
    whole = bytes_of(make().epoch(epoch))
    assert bytes_of(make(threads=2).epoch(epoch, start=start)) == whole[start:]


def test_iterating_goes_from_epoch_to_epoch(make: Callable[..., Loader]) -> None:
    loader = make(epoch=4)
    assert loader.state == (4, 0)
    assert bytes_of([next(iter(loader))]) == bytes_of(make().epoch(4))[:1]
    assert loader.state == (4, 1)  # left, so it begins again
    assert bytes_of(loader) == bytes_of(make().epoch(4))
    assert loader.state == (5, 0)
    assert bytes_of(loader) == bytes_of(make().epoch(5))
    stopped = iter(loader)
    head = [next(stopped) for _ in range(2)]
    assert loader.state == (6, 2)
    assert bytes_of(head) + bytes_of(make().epoch(*loader.state[:1], start=loader.state.step)) == bytes_of(loader)


def test_augmentation_belongs_to_the_sample_not_to_its_company(make: Callable[..., Loader]) -> None:
    wanted = by_sample(make(batch_size=N).epoch(3))
    assert len(wanted) == N
    got = by_sample(make(batch_size=5).epoch(3))
    assert got == wanted
    half = list(range(0, N, 2))
    samples = make().samples.take(half)
    facts = {"preprocessing": make().preprocessing, "augmentation": make().augmentation, "seed": 3, "threads": 0}
    some = Loader(samples, batch_size=25, **facts)
    assert {half[p]: b for p, b in by_sample(some.epoch(3)).items()} == {p: wanted[p] for p in half}


def test_another_size_for_an_epoch(make: Callable[..., Loader]) -> None:
    loader = make(threads=2)
    full = bytes_of(loader.epoch(0))
    small = list(loader.epoch(0, size=(18, 14)))
    assert all(b.images_bchw.shape == (8, 3, 18, 14) for b in small)
    assert [b.positions.tolist() for b in small] == [b.positions.tolist() for b in make().epoch(0)]
    assert bytes_of(loader.epoch(0)) == full
    assert bytes_of(make().epoch(0, size=(18, 14))) == bytes_of(small)


def test_exact_and_fast_differ_by_two_levels_at_most(make: Callable[..., Loader]) -> None:
    fast, exact = make(batch_size=N), make(batch_size=N, exact=True)
    a, b = next(fast.epoch(1)), next(exact.epoch(1))
    assert a.positions.tolist() == b.positions.tolist()
    std = torch.tensor(fast.preprocessing.std)[None, :, None, None]
    levels = ((a.images_bchw - b.images_bchw) * std * 255).abs()
    assert levels.max() <= 2.01
    assert levels.mean() < 0.1


def test_labels_belong_to_their_images(make: Callable[..., Loader]) -> None:
    loader = make()
    for batch in loader.epoch(0):
        assert batch.labels_b.tolist() == loader.samples.labels[batch.positions].tolist()
        assert batch.images_bchw.dtype == torch.float32
        assert batch.labels_b.dtype == torch.int64
        assert batch.images_bchw.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("exact", [True, False])
def test_evaluation_shows_the_contract_and_each_sample_once(files: SampleTable, threads: int, exact: bool) -> None:
    loader = Loader(files, preprocessing=PHOTO, batch_size=8, threads=threads, exact=exact)
    for _ in range(2):
        batches = list(loader)
        assert np.concatenate([b.positions for b in batches]).tolist() == list(range(N))
        assert len(batches) == len(loader) == 7
        images = torch.cat([b.images_bchw for b in batches]).numpy()
        reader = files.reader()
        for i in range(0, N, 7):
            wanted = PHOTO(reader.pixels(i))
            if exact:
                assert np.array_equal(images[i], wanted)
            else:
                assert np.abs((images[i] - wanted) * 255 * np.asarray(PHOTO.std)[:, None, None]).max() <= 2.01


def test_tiny_images_are_the_reference_to_the_last_bit(arrays: SampleTable) -> None:
    images = torch.cat([b.images_bchw for b in Loader(arrays, preprocessing=TINY, batch_size=16)]).numpy()
    reader = arrays.reader()
    assert all(np.array_equal(images[i], TINY(reader.pixels(i))) for i in range(N))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch_size=st.integers(1, 60), world_size=st.sampled_from([1, 2, 3, 4]), n=st.integers(1, N))
def test_evaluation_is_complete_for_any_batch_and_world_size(
    arrays: SampleTable, batch_size: int, world_size: int, n: int
) -> None:
    part = arrays.take(range(n))
    seen: list[int] = []
    for rank in range(world_size):
        facts = {"batch_size": batch_size, "threads": 0, "rank": rank, "world_size": world_size}
        loader = Loader(part, preprocessing=TINY, **facts)
        batches = list(loader)
        assert len(batches) == len(loader)
        seen += [int(p) for b in batches for p in b.positions]
    assert sorted(seen) == list(range(n))


def test_a_path_is_indexed(photo_folder: Path) -> None:
    crops = augmentation.photograph(24)
    loader = Loader(photo_folder / "train", preprocessing=PHOTO, augmentation=crops, batch_size=12)
    assert len(loader) == 4
    assert loader.num_samples == 48
    assert sum(len(b) for b in loader.epoch(0)) == 48


def test_a_small_data_set_is_one_batch(arrays: SampleTable) -> None:
    loader = Loader(arrays.take(range(3)), preprocessing=TINY, augmentation=augmentation.none(), batch_size=8)
    assert [len(b) for b in loader.epoch(0)] == [3]


def test_collected_batches_stay_what_they_were(make: Callable[..., Loader]) -> None:
    loader = make(threads=2)
    kept = list(loader.epoch(0))
    wanted = bytes_of(kept)
    for epoch in range(1, 4):
        for _ in loader.epoch(epoch):
            pass
    assert bytes_of(kept) == wanted


def test_an_abandoned_epoch_leaves_nothing_behind(make: Callable[..., Loader]) -> None:
    loader = make(threads=2)
    wanted = bytes_of(make().epoch(1))
    for _ in range(3):
        for _ in loader.epoch(0):
            break
    assert bytes_of(loader.epoch(1)) == wanted


def test_threads_end_with_their_loader(arrays: SampleTable) -> None:
    before = set(threading.enumerate())
    loader = Loader(arrays, preprocessing=TINY, augmentation=SHIFT, batch_size=8, threads=3)
    list(loader.epoch(0))
    threads = [t for t in threading.enumerate() if t not in before]
    assert len(threads) == 3
    del loader
    gc.collect()
    for t in threads:
        t.join(5)
        assert not t.is_alive()


def test_torch_keeps_its_own_number_of_threads(arrays: SampleTable) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        loader = Loader(arrays, preprocessing=TINY, augmentation=SHIFT, batch_size=8, threads=2)
        assert loader._pool is not None
        inside = [loader._pool.submit(torch.get_num_threads).result() for _ in range(4)]
        assert inside == [1] * 4
        assert torch.get_num_threads() == 2
        started: list[int] = []
        thread = threading.Thread(target=lambda: started.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert started == [2]
    finally:
        torch.set_num_threads(before)
