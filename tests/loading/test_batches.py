"""What becomes of a batch beyond plain pixels: mixed, erased, framed, rounded, cropped, sent to a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sightline import augmentation
from sightline.augmentation import (
    Augmentation,
    CenterCrop,
    CutMix,
    MixUp,
    PadCrop,
    RandomErasing,
    RandomHorizontalFlip,
    Resize,
)
from sightline.errors import ContractError
from sightline.loading import Batch, Loader
from sightline.randomness import generator
from sightline.samples import SampleTable, table_from_rows
from tests.conftest import save_photo
from tests.loading.material import PHOTO, SHIFT, TINY, bytes_of, with_losses
from tests.loading.tables import table_of_files

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
