"""`show`: the pictures are the loader's, and the words below them are what was done to them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightline as sl
from sightline.augmentation import (
    Augmentation,
    AutoAugment,
    ColorJitter,
    CutMix,
    MixUp,
    PadCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    none,
)
from sightline.errors import DataError
from sightline.loading import Loader, showing
from sightline.loading.resizing import resized
from sightline.preprocessing import Preprocessing
from tests.conftest import save_photo
from tests.loading.tables import table_of_arrays, table_of_files

PHOTO = Preprocessing(size=(24, 20), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=26)
GREY = Preprocessing(size=(8, 8), mean=(0.4,), std=(0.2,), color_mode="L", resize_to=8)
FULL = Augmentation(transforms=(RandomResizedCrop(), RandomHorizontalFlip(), ColorJitter(), AutoAugment(),
                                RandomErasing(p=1.0)))  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> sl.SampleTable:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(24):
        save_photo(folder / f"{i:02d}.jpg", i, size=(60 + i, 50))
    return table_of_files(folder, [f"{i:02d}.jpg" for i in range(24)])


def loader_of(samples: sl.SampleTable, augmentation: Augmentation | None) -> Loader:
    return Loader(samples, preprocessing=PHOTO, augmentation=augmentation, batch_size=8, seed=5, threads=0)


def pixels(image: Image.Image, contract: Preprocessing = PHOTO) -> np.ndarray:
    """Of a shown image, one for each of the model's: small ones are shown enlarged."""
    small = image.resize((contract.size[1], contract.size[0]), Image.Resampling.NEAREST)
    return np.asarray(small).reshape(*contract.size, -1)


def test_images_are_those_of_the_batch(samples: sl.SampleTable) -> None:
    loader = loader_of(samples, FULL)
    [_, batch, *_] = loader.epoch(3)
    shown = sl.show(loader, epoch=3, step=1, count=5)
    assert len(shown.images) == len(shown.captions) == 5
    values = batch.images_bchw.permute(0, 2, 3, 1).numpy()
    levels = np.clip(np.rint(255 * (values * PHOTO.std + PHOTO.mean)), 0, 255)
    for image, wanted in zip(shown.images, levels, strict=False):
        assert (pixels(image) == wanted).mean() > 0.999  # float32 may round a half the other way


def test_words_say_what_was_done(samples: sl.SampleTable) -> None:
    """The crop and the flip that are told, done by hand, give the picture."""
    loader = loader_of(samples, Augmentation(transforms=(RandomResizedCrop(), RandomHorizontalFlip())))
    rows = loader.peek(2, 0).positions
    shown = sl.show(loader, epoch=2, count=8)
    reader, is_mirrored = samples.reader(), []
    for row, image, words in zip(rows, shown.images, shown.captions, strict=True):
        assert words[0] == samples.classes.names[samples.labels[row]]
        height, width, top, left = map(int, re.findall(r"\d+", words[1]))
        is_mirrored.append("mirrored" in words)
        part = reader.pixels(int(row)).values[top : top + height, left : left + width]
        wanted = resized(np.ascontiguousarray(part), *PHOTO.size, PHOTO)
        wanted = wanted[:, ::-1] if is_mirrored[-1] else wanted
        assert np.abs(pixels(image).astype(int) - wanted).max() <= 1
    assert set(is_mirrored) == {True, False}


def test_each_transform_that_did_something_has_its_words(samples: sl.SampleTable) -> None:
    words = [line for caption in sl.show(loader_of(samples, FULL), count=8).captions for line in caption[1:]]
    for told in ("crop", "mirrored", "brightness", "erased"):
        assert any(line.startswith(told) or told in line for line in words), told
    assert all(len(caption) == 1 for caption in sl.show(loader_of(samples, none())).captions)


@pytest.mark.parametrize("mixing", [MixUp(alpha=1.0), CutMix()])
def test_mixed_images_name_both_classes_and_the_mixture(samples: sl.SampleTable, mixing: MixUp | CutMix) -> None:
    loader = loader_of(samples, Augmentation(transforms=(RandomHorizontalFlip(),), mixing=(mixing,)))
    shown = sl.show(loader, epoch=1, step=2)
    targets = loader.peek(1, 2).targets
    assert "partner" in shown.title
    for caption, target in zip(shown.captions, targets, strict=True):
        shares = {name: f"{float(s):.2f} {name}" for name, s in zip("abc", target, strict=True) if s > 0}
        assert all((s in caption[0]) if len(shares) > 1 else (n == caption[0]) for n, s in shares.items())


def test_an_evaluation_loader_shows_the_contracts_pixels(samples: sl.SampleTable) -> None:
    loader = loader_of(samples, None)
    shown = sl.show(loader, step=1)
    assert shown.title == "files · batch 1, as evaluated"
    assert [len(c) for c in shown.captions] == [1] * 8
    wanted = PHOTO.pixels(samples.reader().pixels(8))
    assert np.abs(pixels(shown.images[0]).astype(int) - wanted).max() <= 2


def test_showing_changes_nothing(samples: sl.SampleTable) -> None:
    loader = loader_of(samples, FULL)
    batches = loader.epoch(1)
    next(batches)
    before = loader.state
    sl.show(loader, epoch=4, step=2)
    assert loader.state == before
    after = [b.images_bchw.clone() for b in batches]
    alone = [b.images_bchw.clone() for b in loader_of(samples, FULL).epoch(1, start=1)]
    assert all(bool((a == b).all()) for a, b in zip(after, alone, strict=True))


def test_grey_and_small_images_are_enlarged_in_whole_factors(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
    samples = table_of_arrays(tmp_path, values)
    loader = Loader(samples, preprocessing=GREY, augmentation=Augmentation(transforms=(PadCrop(padding=1),)),
                    batch_size=6, threads=0)  # fmt: skip
    shown = sl.show(loader)
    assert {i.size for i in shown.images} == {(200, 200)}
    assert {i.mode for i in shown.images} == {"L"}
    block = np.asarray(shown.images[0])[:25, :25]
    assert (block == block[0, 0]).all()


def test_the_picture_is_written_and_displayed(samples: sl.SampleTable, tmp_path: Path) -> None:
    shown = sl.show(loader_of(samples, FULL), count=6)
    path = shown.save(tmp_path / "batch.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == shown.picture().size
        assert image.width == 4 * (showing.CELL + showing.SPACE) + showing.SPACE
    assert Image.open(io.BytesIO(shown._repr_png_())).size == shown.picture().size
    assert shown._repr_html_().count("data:image/png;base64,") == 6
    with pytest.raises(DataError, match=r"batch\.png"):
        shown.save(tmp_path / "batch.jpg")


def test_class_names_are_text_in_html(samples: sl.SampleTable) -> None:
    names = ("<script>", "b", "c")
    named = sl.SampleTable(samples.table, sl.Classes(("a", "b", "c"), names), "x & y", samples.roots)
    html = sl.show(loader_of(named, none()), count=8)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "x &amp; y" in html


def test_without_a_font_of_the_system_the_words_are_english_letters(
    samples: sl.SampleTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "FONTS", ("no such font.ttf",))
    font = showing._font(12)
    assert showing._drawable("crop 3 × 4 · Äpfel", font) == "crop 3 x 4 - Apfel"
    assert sl.show(loader_of(samples, FULL)).picture().width > 0


@pytest.mark.parametrize(("step", "count"), [(3, 4), (-1, 4), (0, 0)])
def test_a_batch_that_is_not_there(samples: sl.SampleTable, step: int, count: int) -> None:
    with pytest.raises(DataError, match=r"0 … 2"):
        sl.show(loader_of(samples, FULL), step=step, count=count)
