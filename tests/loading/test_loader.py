"""The loader's guarantees: the same bytes for any threads, ranks and interruptions; nothing dropped or doubled."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import sightline as sl
from sightline import augmentation
from sightline.augmentation import (
    Augmentation,
    CenterCrop,
    CutMix,
    MixUp,
    PadCrop,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    Resize,
)
from sightline.errors import ContractError, DataError, RecipeError
from sightline.images import Pixels
from sightline.loading import Batch, Loader, tiles
from sightline.preprocessing import Preprocessing
from sightline.randomness import generator
from sightline.samples import SampleTable, table_from_rows
from tests.conftest import save_photo
from tests.loading.tables import table_of_arrays, table_of_files

N = 50
TINY = Preprocessing(size=(12, 10), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=10)
PHOTO = Preprocessing(size=(24, 20), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=26, interpolation="bicubic")
SHIFT = Augmentation(transforms=(PadCrop(padding=2), RandomHorizontalFlip()))
CASES: dict[str, tuple[str, Augmentation]] = {
    "tiny, none": ("arrays", augmentation.none()),
    "tiny, shifted": ("arrays", SHIFT),
    "tiny, turned": ("arrays", Augmentation(transforms=(RandomAffine(), PadCrop(padding=1)))),
    "photographs": ("files", augmentation.photograph(24, jitter=0.3)),
    "photographs, framed": ("files", SHIFT),
}


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    values = np.random.default_rng(0).integers(0, 256, (N, 12, 10, 3), dtype=np.uint8)
    return table_of_arrays(tmp_path_factory.mktemp("arrays"), values)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    folder = tmp_path_factory.mktemp("files")
    for i in range(N):
        save_photo(folder / f"{i:02d}.jpg", i, size=(30 + i % 7, 41 - i % 5))
    return table_of_files(folder, [f"{i:02d}.jpg" for i in range(N)])


@pytest.fixture(params=CASES)
def make(request: pytest.FixtureRequest, arrays: SampleTable, files: SampleTable) -> Callable[..., Loader]:
    kind, transforms = CASES[request.param]

    def build(**change: Any) -> Loader:
        source, contract = (arrays, TINY) if kind == "arrays" else (files, PHOTO)
        facts = {"preprocessing": contract, "augmentation": transforms, "batch_size": 8, "seed": 3, "threads": 0}
        return Loader(source, **{**facts, **change})

    return build


def bytes_of(batches: Iterable[Batch]) -> list[str]:
    """A digest of everything in each batch."""
    parts = [(b.images_bchw.permute(0, 2, 3, 1).contiguous().numpy(), b.labels_b.numpy(), b.positions) for b in batches]
    return [hashlib.sha256(b"".join(p.tobytes() for p in arrays)).hexdigest() for arrays in parts]


def by_sample(batches: Iterable[Batch]) -> dict[int, bytes]:
    return {
        int(p): image.permute(1, 2, 0).contiguous().numpy().tobytes() + int(label).to_bytes(2, "little", signed=True)
        for b in batches for p, image, label in zip(b.positions, b.images_bchw, b.labels_b, strict=True)
    }  # fmt: skip


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


# Unreadable samples


def with_losses(folder: Path) -> SampleTable:
    """20 photographs: 3 and 4 vanish and 5 rots after indexing; 6 was unreadable then already."""
    for i in range(20):
        save_photo(folder / f"{i:02d}.jpg", i)
    rows = table_of_files(folder, [f"{i:02d}.jpg" for i in range(20)]).table.to_pylist()
    rows[6] |= {"status": "unreadable", "reason": "empty file (0 bytes)"}
    (folder / "03.jpg").unlink()
    (folder / "04.jpg").unlink()
    (folder / "05.jpg").write_bytes((folder / "05.jpg").read_bytes()[:200])
    made = table_of_files(folder, ["00.jpg"])
    return SampleTable(table_from_rows(rows), made.classes, "losses", made.roots)


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("transforms", [augmentation.photograph(24), SHIFT], ids=["view", "framed"])
def test_training_skips_and_counts_what_cannot_be_read(tmp_path: Path, threads: int, transforms: Augmentation) -> None:
    loader = Loader(
        with_losses(tmp_path), preprocessing=PHOTO, augmentation=transforms, batch_size=19, threads=threads,
        max_unreadable=0.2,
    )  # fmt: skip
    assert loader.num_samples == 19
    assert loader.skipped == 1
    for epoch in range(2):
        (batch,) = loader.epoch(epoch)
        assert sorted(batch.positions.tolist()) == sorted(set(range(20)) - {3, 4, 5, 6})
        assert len(batch.images_bchw) == len(batch.labels_b) == 16
        assert batch.images_bchw.is_contiguous(memory_format=torch.channels_last)
        assert sorted(i for i, _ in batch.unreadable) == [3, 4, 5]
        assert torch.isfinite(batch.images_bchw).all()
    assert loader.skipped == 4
    assert loader.unreadable[3] == "file is missing: 03.jpg"
    assert "damaged jpeg" in loader.unreadable[5]
    assert loader.unreadable[6] == "empty file (0 bytes)"


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_evaluation_reports_what_cannot_be_read_and_replaces_nothing(tmp_path: Path, cache_bytes: int) -> None:
    samples = with_losses(tmp_path)
    loader = Loader(samples, preprocessing=PHOTO, batch_size=4, threads=2, cache_bytes=cache_bytes)
    batches = list(loader)
    assert [b.positions.tolist() for b in batches] == [[0, 1, 2], [7], *[list(range(i, i + 4)) for i in (8, 12, 16)]]
    assert [[i for i, _ in b.unreadable] for b in batches] == [[3], [4, 5, 6], [], [], []]
    reader = samples.reader()
    image = batches[1].images_bchw[0].numpy()
    assert np.abs((image - PHOTO(reader.pixels(7))) * 255 * np.asarray(PHOTO.std)[:, None, None]).max() <= 2.01
    assert loader.skipped == 0
    assert set(loader.unreadable) == {3, 4, 5, 6}


@pytest.mark.parametrize("threads", [0, 2])
def test_more_than_a_stated_share_of_losses_stops_training(tmp_path: Path, threads: int) -> None:
    samples = with_losses(tmp_path)
    facts = {"preprocessing": PHOTO, "augmentation": augmentation.photograph(24), "batch_size": 4, "threads": threads}
    seen: list[int] = []
    with pytest.raises(DataError, match=r"of 19 training images .*max_unreadable = 10% is too much.*sightline index"):
        seen += [len(b) for b in Loader(samples, max_unreadable=0.1, **facts).epoch(0)]
    assert sum(seen) < 16
    assert sum(len(b) for b in Loader(samples, max_unreadable=0.16, **facts).epoch(0)) >= 13
    gone = samples.take([3, 4])
    assert [len(b) for b in Loader(gone, preprocessing=PHOTO, batch_size=3)] == [0]  # evaluation lists them


def test_another_image_in_the_place_of_a_file_is_unreadable(tmp_path: Path) -> None:
    for i in range(4):
        save_photo(tmp_path / f"{i}.jpg", i)
    samples = table_of_files(tmp_path, [f"{i}.jpg" for i in range(4)])
    save_photo(tmp_path / "2.jpg", 2, size=(33, 44))
    for transforms in (SHIFT, augmentation.photograph(24)):
        loader = Loader(samples, preprocessing=PHOTO, augmentation=transforms, batch_size=4, max_unreadable=0.5)
        (batch,) = loader.epoch(0)
        assert sorted(batch.positions.tolist()) == [0, 1, 3]
        assert "44 × 33 pixels" in loader.unreadable[2]


def test_a_table_without_sizes_gives_the_same_bytes(tmp_path: Path) -> None:
    names = [f"{i}.jpg" for i in range(6)]
    for i, name in enumerate(names):
        save_photo(tmp_path / name, i, size=(30 + i, 40))
    facts = {"preprocessing": PHOTO, "augmentation": augmentation.photograph(24), "batch_size": 6, "cache_bytes": 0}
    wanted, got = (Loader(table_of_files(tmp_path, names, is_sized=s), **facts) for s in (True, False))
    assert bytes_of(got.epoch(1)) == bytes_of(wanted.epoch(1))


def test_no_readable_sample(tmp_path: Path) -> None:
    samples = with_losses(tmp_path)
    unreadable = samples.take([6])
    with pytest.raises(DataError, match="no sample to load"):
        Loader(unreadable, preprocessing=PHOTO, augmentation=augmentation.none(), batch_size=1)


# The contract at the border


@pytest.mark.parametrize("threads", [0, 2])
def test_a_depth_outside_the_contract_stops_with_the_files_name(tmp_path: Path, threads: int) -> None:
    Image.fromarray(np.full((30, 30), 40_000, np.uint16)).save(tmp_path / "scan.png")
    samples = table_of_files(tmp_path, ["scan.png"])
    for facts in ({}, {"augmentation": SHIFT}, {"augmentation": augmentation.photograph(24)}):
        loader = Loader(samples, preprocessing=PHOTO, batch_size=1, threads=threads, **facts)
        with pytest.raises(ContractError, match=r"scan.png: .* 16 bits .*40000.*8-bit"):
            list(loader.epoch(0) if loader.is_training else loader)


@pytest.mark.parametrize(
    "transforms", [None, SHIFT, augmentation.photograph(24), Augmentation(transforms=(RandomAffine(),))]
)
def test_deep_and_shallow_images_share_a_batch(tmp_path: Path, transforms: Augmentation | None) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (24, 20), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "shallow.png")
    Image.fromarray(levels.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    contract = Preprocessing(size=(24, 20), mean=(0.5,), std=(0.3,), color_mode="L", bits=(8, 16), resize_to=20)
    for exact in (False, True):
        loader = Loader(
            table_of_files(tmp_path, ["shallow.png", "deep.png"]), preprocessing=contract, augmentation=transforms,
            batch_size=2, exact=exact,
        )  # fmt: skip
        (batch,) = loader.epoch(0) if loader.is_training else loader
        assert batch.images_bchw.shape == (2, 1, 24, 20)
        if transforms is None:
            assert torch.equal(batch.images_bchw[0], batch.images_bchw[1])
            assert np.array_equal(batch.images_bchw[0].numpy(), contract(Pixels(levels[:, :, None], 8)))
        assert batch.images_bchw.std() > 0.3


def test_classes_that_are_not_the_models(arrays: SampleTable) -> None:
    with pytest.raises(ContractError, match="arrays: its classes are 'a' at place 0, this model's are 'b'"):
        Loader(arrays, preprocessing=TINY.with_classes(("b", "a", "c")), batch_size=8)
    assert len(Loader(arrays, preprocessing=TINY.with_classes(("a", "b", "c")), batch_size=8)) == 7


def test_unlabelled_samples_are_for_prediction_only(tmp_path: Path) -> None:
    images = np.zeros((4, 12, 10, 3), np.uint8)
    samples = table_of_arrays(tmp_path, images, [0, None, 2, None])
    with pytest.raises(DataError, match="2 of 4 samples have no label"):
        Loader(samples, preprocessing=TINY, augmentation=augmentation.none(), batch_size=2)
    labels = [label for b in Loader(samples, preprocessing=TINY, batch_size=2) for label in b.labels_b.tolist()]
    assert labels == [0, -1, 2, -1]
    unlabelled = samples.take([1, 3])
    assert len(list(Loader(unlabelled, preprocessing=TINY.with_classes(("x", "y")), batch_size=2))) == 1


def test_training_and_evaluation_are_not_mixed_up(arrays: SampleTable) -> None:
    training = Loader(arrays, preprocessing=TINY, shuffle=True, batch_size=8, threads=0)
    assert len(list(training.epoch(0))) == 6
    with pytest.raises(ContractError, match="iterate it"):
        Loader(arrays, preprocessing=TINY, batch_size=8, threads=0).epoch(0)
    with pytest.raises(ContractError, match="Drop one"):
        Loader(arrays, preprocessing=TINY, augmentation=SHIFT, shuffle=False, batch_size=8)
    with pytest.raises(RecipeError, match="batch_size must be at least 1"):
        Loader(arrays, preprocessing=TINY, batch_size=0)


def test_it_is_a_public_name() -> None:
    assert sl.Loader is Loader


@pytest.mark.parametrize("layout", ["cifar10", "mnist"])
def test_real_tiny_images(layout: str, shared_data: Callable[[str], Path]) -> None:
    samples = sl.index(shared_data(layout), limit=0.01)
    grey = layout == "mnist"
    size = (28, 28) if grey else (32, 32)
    contract = Preprocessing(
        size=size, mean=(0.13,) if grey else (0.49, 0.48, 0.45), std=(0.31,) if grey else (0.25, 0.24, 0.26),
        resize_to=size[0], color_mode="L" if grey else "RGB",
    )  # fmt: skip
    shifts = augmentation.small(size, flip=not grey)
    loader = Loader(samples, preprocessing=contract, augmentation=shifts, batch_size=50)
    assert len(by_sample(loader.epoch(0))) == len(samples) // 50 * 50
    assert loader.skipped == 0


# Mixing, erasing, framing, precision


MIXED = Augmentation(
    transforms=(PadCrop(padding=2), RandomHorizontalFlip(), RandomErasing(p=0.5, value="random")),
    mixing=(MixUp(alpha=0.8), CutMix(alpha=1.0)),
)


def whole_batches(ranks: list[list[Batch]], step: int) -> dict[int, bytes]:
    return {
        int(p): image.permute(1, 2, 0).contiguous().numpy().tobytes() + target.numpy().tobytes()
        for r in ranks for p, image, target in zip(r[step].positions, r[step].images_bchw, r[step].targets, strict=True)
    }  # fmt: skip


@pytest.mark.parametrize("batch_size", [8, 9, 50])
@pytest.mark.parametrize("kind", ["arrays", "files"])
def test_mixing_is_that_of_the_global_batch_on_any_number_of_ranks_and_threads(
    request: pytest.FixtureRequest, kind: str, batch_size: int
) -> None:
    source, contract = (request.getfixturevalue(kind), TINY if kind == "arrays" else PHOTO)
    facts = {"preprocessing": contract, "augmentation": MIXED, "batch_size": batch_size, "seed": 5}
    alone = [list(Loader(source, threads=0, **facts).epoch(3))]
    for threads, world_size in ((2, 1), (0, 2), (1, 3), (2, 4)):
        ranks = [list(Loader(source, threads=threads, rank=r, world_size=world_size, **facts).epoch(3))
                 for r in range(world_size)]  # fmt: skip
        for step in range(len(alone[0])):
            assert whole_batches(ranks, step) == whole_batches(alone, step)
        resumed = list(Loader(source, threads=threads, **facts).epoch(3, start=1))
        assert [b.positions.tolist() for b in resumed] == [b.positions.tolist() for b in alone[0][1:]]
        assert all(torch.equal(a.images_bchw, b.images_bchw) for a, b in zip(resumed, alone[0][1:], strict=True))


@pytest.mark.parametrize("mixing", [MixUp(alpha=0.8), CutMix(alpha=1.0)])
def test_mixing_agrees_with_its_plain_reference(arrays: SampleTable, mixing: Any) -> None:
    facts = {"preprocessing": TINY, "batch_size": 9, "seed": 1, "threads": 0}
    plain = Loader(arrays, augmentation=augmentation.none(), **facts)
    loader = Loader(arrays, augmentation=Augmentation(mixing=(mixing,)), **facts)
    weights = set()
    for step, (before, after) in enumerate(zip(plain.epoch(2), loader.epoch(2), strict=True)):
        mixture = loader.augmentation.mixture(generator(1, 2, step), (12, 10))
        assert mixture is not None
        weights.add(mixture.weight)
        images = before.images_bchw.permute(0, 2, 3, 1).numpy()
        wanted, targets = augmentation.mixed(images, np.eye(3, dtype=np.float32)[before.labels_b], mixture)
        np.testing.assert_allclose(after.images_bchw.permute(0, 2, 3, 1).numpy(), wanted, atol=1e-6)
        np.testing.assert_allclose(after.targets.numpy(), targets, atol=1e-6)
        assert torch.equal(after.labels_b, before.labels_b)
        assert torch.equal(before.targets, before.labels_b)
    assert len(weights) > 1


def test_a_lost_partner_leaves_an_image_as_it_is(tmp_path: Path) -> None:
    samples = with_losses(tmp_path)
    facts = {"preprocessing": PHOTO, "batch_size": 19, "max_unreadable": 1.0}
    (plain,) = Loader(samples, augmentation=augmentation.none(), **facts).epoch(0)
    (batch,) = Loader(samples, augmentation=Augmentation(mixing=(MixUp(alpha=1.0),)), **facts).epoch(0)
    assert batch.positions.tolist() == plain.positions.tolist()
    assert len(batch.images_bchw) == len(batch.targets) == 16
    is_hard = (batch.targets == 1).any(1)
    same = [torch.equal(a, b) for a, b in zip(batch.images_bchw, plain.images_bchw, strict=True)]
    assert is_hard.tolist() == [s or b for s, b in zip(same, is_hard.tolist(), strict=True)]
    assert 1 <= sum(same) <= 4  # the partners of three lost ones, and the middle of 19


def test_bfloat16_is_the_rounded_float32(make: Callable[..., Loader]) -> None:
    for wanted, got in zip(make().epoch(1), make(dtype=torch.bfloat16, threads=2).epoch(1), strict=True):
        assert got.images_bchw.dtype == torch.bfloat16
        assert got.images_bchw.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(got.images_bchw, wanted.images_bchw.bfloat16())
    with pytest.raises(ContractError, match="float32 or bfloat16"):
        make(dtype=torch.float16)


def test_numbers_made_on_the_device_are_those_of_the_threads(make: Callable[..., Loader]) -> None:
    """The way to an accelerator without one: levels are sent, and normalized where they arrive."""
    loader, wanted = make(), list(make().epoch(1))
    loader._destination.sends_levels = True
    loader._destination.memory = np.dtype(np.uint8)
    for a, b in zip(loader.epoch(1), wanted, strict=True):
        assert torch.equal(a.images_bchw, b.images_bchw)
        assert a.images_bchw.is_contiguous(memory_format=torch.channels_last)


def test_resize_and_center_crop_take_the_place_of_the_contracts(files: SampleTable) -> None:
    own = Augmentation(transforms=(Resize(size=26, interpolation="bicubic"), CenterCrop(size=(24, 20)), PadCrop()))
    usual = Augmentation(transforms=(PadCrop(),))
    facts = {"batch_size": 8, "threads": 0}
    squashed = replace(PHOTO, resize="squash", resize_to=(24, 20), crop="none", interpolation="nearest")
    for exact in (True, False):
        a = Loader(files, preprocessing=squashed, augmentation=own, exact=exact, **facts)
        b = Loader(files, preprocessing=PHOTO, augmentation=usual, exact=exact, **facts)
        shifted = [x.images_bchw for x in a.epoch(0)]
        assert len(shifted) == 6
        assert all(x.shape == (8, 3, 24, 20) for x in shifted)
        if exact:  # PadCrop draws by its place, so its offsets differ; without it all is equal
            plain = [Augmentation(transforms=own.transforms[:2]), augmentation.none()]
            a = Loader(files, preprocessing=squashed, augmentation=plain[0], exact=True, **facts)
            b = Loader(files, preprocessing=PHOTO, augmentation=plain[1], exact=True, **facts)
            assert all(torch.equal(x.images_bchw, y.images_bchw) for x, y in zip(a.epoch(0), b.epoch(0), strict=True))
    wrong = Augmentation(transforms=(Resize(size=(30, 30)),))
    with pytest.raises(ContractError, match=r"leave images of \(30, 30\), and \(24, 20\)"):
        list(Loader(files, preprocessing=PHOTO, augmentation=wrong, **facts).epoch(0))


def test_a_transform_of_ones_own_is_reproducible(files: SampleTable) -> None:
    def speckled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(image.shape[:2])[..., None] < 0.1, np.uint8(0), image)

    transforms = Augmentation(transforms=(augmentation.RandomResizedCrop(), speckled))
    facts = {"preprocessing": PHOTO, "augmentation": transforms, "batch_size": 8, "seed": 3}
    wanted = bytes_of(Loader(files, threads=0, **facts).epoch(1))
    assert bytes_of(Loader(files, threads=7, **facts).epoch(1)) == wanted
    assert bytes_of(Loader(files, threads=2, **facts).epoch(2)) != wanted


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_a_sample_that_is_a_crop_of_an_image(tmp_path: Path, cache_bytes: int) -> None:
    names = [f"{i}.png" for i in range(4)]
    for i, name in enumerate(names):
        save_photo(tmp_path / name, i, size=(60, 50))
    whole = table_of_files(tmp_path, names)
    boxes = [[5.0, 3.0, 45.0, 43.0], None, [0.0, 10.0, 60.0, 50.0], None]
    rows = [row | {"crop": box} for row, box in zip(whole.table.to_pylist(), boxes, strict=True)]
    crops = SampleTable(table_from_rows(rows), whole.classes, "crops", whole.roots)
    for i, box in enumerate(boxes):
        left, top, right, bottom = (int(v) for v in box or (0, 0, 60, 50))
        Image.open(tmp_path / names[i]).crop((left, top, right, bottom)).save(tmp_path / f"cut{i}.png")
    cut = table_of_files(tmp_path, [f"cut{i}.png" for i in range(4)])
    cut = SampleTable(cut.table.set_column(0, "sample_id", whole.table["sample_id"]), cut.classes, "cut", cut.roots)
    for transforms in (None, SHIFT, augmentation.photograph(24)):
        facts = {"preprocessing": PHOTO, "augmentation": transforms, "batch_size": 4, "cache_bytes": cache_bytes}
        a, b = Loader(crops, **facts), Loader(cut, **facts)
        batches = zip(a.epoch(1), b.epoch(1), strict=True) if transforms else zip(a, b, strict=True)
        assert all(torch.equal(x.images_bchw, y.images_bchw) for x, y in batches)
