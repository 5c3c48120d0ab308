"""The search: edits of a photograph are found, other photographs are not, however many threads look."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

import sightline as sl
from sightline.errors import MissingExtraError
from sightline.inspection import inspect
from sightline.similarity import NearPairs, near_pairs
from tests.similarity.photographs import Shown, photograph, shown

COUNT = 60


def crop(picture: Image.Image, share: float, left: float, top: float) -> Image.Image:
    size = round(picture.width * share)
    x, y = round((picture.width - size) * left), round((picture.height - size) * top)
    return picture.crop((x, y, x + size, y + size))


def edited(pictures: list[Image.Image]) -> list[Image.Image]:
    """A copy of each of the first eight, edited in another way each."""
    half = (pictures[1].width // 2,) * 2
    return [
        ImageOps.mirror(pictures[0]), pictures[1].resize(half), crop(pictures[2], 0.8, 0.5, 0.5),
        crop(pictures[3], 0.8, 0.1, 0.9), ImageOps.grayscale(pictures[4]), pictures[5].point(lambda v: v * 0.6),
        crop(pictures[6].rotate(6, Image.Resampling.BICUBIC), 0.85, 0.5, 0.5),
        crop(ImageOps.mirror(pictures[7]), 0.7, 0.3, 0.6),
    ]  # fmt: skip


@pytest.fixture(scope="module", params=[32, 64])
def table(request: pytest.FixtureRequest) -> Shown:
    pictures = [photograph(i) for i in range(COUNT)]
    return shown([*pictures, *edited(pictures)], request.param)


@pytest.fixture(scope="module")
def found(table: Shown) -> NearPairs:
    return near_pairs(table)


def test_edits_are_found_and_nothing_else(found: NearPairs) -> None:
    pairs = set(zip(found.certain.first.tolist(), found.certain.second.tolist(), strict=True))
    assert pairs == {(i, COUNT + i) for i in range(8)}


def test_threads_change_nothing(table: Shown, found: NearPairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.similarity.search.ROWS", 16)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    again = near_pairs(table)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    once = near_pairs(table)
    for name in ("first", "second", "score"):
        np.testing.assert_array_equal(getattr(again, name), getattr(once, name))
    np.testing.assert_array_equal(once.certain.first, found.certain.first)


def test_equal_thumbnails_are_certain_and_crowd_nothing_out() -> None:
    pictures = [photograph(i) for i in range(20)]
    table = shown([*pictures, *[pictures[3]] * 30, ImageOps.mirror(pictures[3])])
    certain = near_pairs(table).certain
    clusters = certain.clusters()
    assert set(np.flatnonzero(clusters == 3).tolist()) == {3, *range(20, 51)}
    assert (np.bincount(clusters)[[i for i in range(20) if i != 3]] == 1).all()


def test_pictures_that_show_nothing_are_in_no_pair() -> None:
    flat = [Image.new("RGB", (64, 64), (level,) * 3) for level in (0, 0, 0, 128, 129, 255)]
    assert len(near_pairs(shown([*flat, photograph(0), photograph(1)])).certain) == 0
    assert len(near_pairs(shown(flat))) == 0
    assert len(near_pairs(Shown(np.zeros((0, 32, 32, 3), np.uint8)))) == 0


def test_a_table_of_pictures_that_are_all_alike_is_full_of_lookalikes() -> None:
    """Strokes as digits have them: each can be laid over many others, so that agreement says little."""
    from PIL import ImageDraw

    rng = np.random.default_rng(0)
    strokes = []
    for _ in range(80):
        picture = Image.new("L", (384, 384))
        lean, bend = rng.normal(0, 30, 2)
        ImageDraw.Draw(picture).line((192 + lean, 60, 192 + bend, 192, 192 - lean, 324), 255, int(rng.integers(36, 52)))
        strokes.append(picture)
    assert len(near_pairs(shown(strokes, 32)).certain) <= 2


@pytest.mark.parametrize("step", [2, 13, 90])
def test_no_two_digits_are_one_photograph(step: int) -> None:
    """Of 8 by 8 pixels nearly every digit can be laid over another one, in small tables too."""
    samples = sl.index("digits")
    assert len(near_pairs(inspect(samples.take(np.arange(0, len(samples), step))))) == 0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pictures_tell_a_copy(count: int) -> None:
    pictures = [photograph(i) for i in range(count)]
    certain = near_pairs(shown([*pictures, *(crop(p, 0.85, 0.3, 0.6) for p in pictures)], 64)).certain
    pairs = zip(certain.first.tolist(), certain.second.tolist(), strict=True)
    assert set(pairs) == {(i, count + i) for i in range(count)}


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of it, got 40"):
        near_pairs(Shown(np.zeros((3, 40, 40, 3), np.uint8)))


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"near duplicates needs faiss.*sightline\[audit\]"):
        near_pairs(shown([photograph(0), photograph(1)]))
