"""What a loader refuses when it is made or meets an image: other depths, classes, labels and uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sightline as sl
from sightline import augmentation
from sightline.augmentation import (
    Augmentation,
    RandomAffine,
)
from sightline.errors import ContractError, DataError, RecipeError
from sightline.images import Pixels
from sightline.loading import Loader
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable
from tests.loading.material import PHOTO, SHIFT, TINY, by_sample
from tests.loading.tables import table_of_arrays, table_of_files


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
