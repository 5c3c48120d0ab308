from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import indexing
from sightline.images import Pixels
from sightline.images.upright import upright
from sightline.reporting.pictures import SIDE, TINY, Gallery, data_uri, thumbnail_size
from tests.conftest import save_photo


def opened(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{str(image.format).lower()};base64"
    return image


def pixels(values: list[list[int]], bits: int = 8, orientation: int = 1) -> Pixels:
    return Pixels(np.array(values, np.uint16 if bits == 16 else np.uint8)[:, :, None], bits, orientation)


def test_tiny_images_keep_every_pixel() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(opened(data_uri(upright(Pixels(values, 8)), lossless=True))), values)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (128, 128), (3000, 2000), (4000, 3), (17, 900)])
def test_thumbnails_are_small_and_never_enlarged(size: tuple[int, int]) -> None:
    width, height = thumbnail_size(size)
    assert 1 <= width <= min(SIDE, size[0])
    assert 1 <= height <= min(SIDE, size[1])
    assert max(width, height) == min(SIDE, max(size))
    assert opened(data_uri(Image.new("RGB", size), lossless=max(size) <= TINY)).size == (width, height)


def test_a_photograph_takes_a_few_kilobytes() -> None:
    rough = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)  # noise: the worst case there is
    assert len(data_uri(upright(Pixels(rough, 8)), lossless=False)) < 24_000


def test_16_bits_are_scaled_not_cut() -> None:
    shown = np.asarray(upright(pixels([[0, 256, 65535]], bits=16)))
    assert shown.tolist() == [[0, 1, 255]]


def test_alpha_lies_on_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    assert np.asarray(upright(Pixels(rgba, 8))).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    grey = np.array([[[100, 128]]], np.uint8)
    assert np.asarray(upright(Pixels(grey, 8))).tolist() == [[177]]


@pytest.mark.parametrize(("orientation", "wanted"), [
    (1, [[1, 2], [3, 4]]), (2, [[2, 1], [4, 3]]), (3, [[4, 3], [2, 1]]), (4, [[3, 4], [1, 2]]),
    (5, [[1, 3], [2, 4]]), (6, [[3, 1], [4, 2]]), (7, [[4, 2], [3, 1]]), (8, [[2, 4], [1, 3]]),
])  # fmt: skip
def test_pictures_stand_upright(orientation: int, wanted: list[list[int]]) -> None:
    assert np.asarray(upright(pixels([[1, 2], [3, 4]], orientation=orientation))).tolist() == wanted


def test_a_gallery_names_what_it_shows_and_says_what_it_cannot(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_photo(tmp_path / name / "0.jpg", 0, (200, 100))
    (tmp_path / "dog" / "1.jpg").write_bytes(b"")
    samples = indexing.index(tmp_path).hashed()
    gallery = Gallery(samples)
    row = {key: i for i, key in enumerate(samples.column("key"))}
    cat, torn = gallery.picture(row["cat/0.jpg"]), gallery.picture(row["dog/1.jpg"])
    assert (cat.alt, cat.width, cat.height, cat.is_tiny) == ("Sample cat/0.jpg, class cat", 128, 64, False)
    assert opened(cat.src).size == (128, 64)
    assert (torn.src, torn.note) == ("", "empty file (0 bytes)")
    assert gallery.withheld(row["cat/0.jpg"]).src == ""
