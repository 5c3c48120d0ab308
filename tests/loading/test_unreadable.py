"""Files that vanish, rot or are another image after indexing: training counts them, evaluation lists them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sightline import augmentation
from sightline.augmentation import (
    Augmentation,
)
from sightline.errors import DataError
from sightline.loading import Loader
from tests.conftest import save_photo
from tests.loading.material import PHOTO, SHIFT, bytes_of, with_losses
from tests.loading.tables import table_of_files


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
