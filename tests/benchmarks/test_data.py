"""The images of a run: copies, orders, arrays, and pixels compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.machine import facts, processor
from benchmarks.peers import files

from benchmarks import data


def test_photographs_are_copied_in_steps_over_the_classes(photo_folder: Path, tmp_path: Path) -> None:
    place = data.photographs(photo_folder / "train", tmp_path, 4, 3)
    names = [(p.parent.name, p.name) for p, _ in files.labelled(place)]
    assert len(names) == 12
    assert names[:3] == [("bright", f"000-{i}.jpg") for i in range(3)]
    assert {label for _, label in files.labelled(place)} == {0, 1}
    original = (photo_folder / "train" / "bright" / "000.jpg").read_bytes()
    assert all((place / "bright" / f"000-{i}.jpg").read_bytes() == original for i in range(3))
    assert data.photographs(photo_folder / "train", tmp_path, 4, 3) == place


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--photographs"):
        data.photographs(tmp_path, tmp_path / "work", 4, 1)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 48])
def test_shards_hold_each_image_once_and_mix_the_classes(photo_folder: Path, tmp_path: Path, count: int) -> None:
    place = data.photographs(photo_folder / "train", tmp_path, count, 1)
    shards = list(files.shards(place))
    assert len(shards) == files.NUM_SHARDS
    assert sorted(image for shard in shards for image in shard) == files.labelled(place)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    if count == 48:
        assert all({label for _, label in shard} == {0, 1} for shard in shards)


def save(path: Path, images: np.ndarray, labels: list[int]) -> Path:
    np.savez(path, images=images, labels=np.asarray(labels))
    return path


def test_levels_are_compared_in_both_directions(tmp_path: Path) -> None:
    images = np.full((4, 3, 2, 2), 100, np.uint8)
    other = images.copy()
    other[0, 0, 0, 0], other[2, 1, 1, 1], other[3] = 97, 105, 255  # the last is the second copy: not looked at
    a, b = save(tmp_path / "a.npz", images, [0, 0, 1, 1]), save(tmp_path / "b.npz", other, [0, 0, 1, 1])
    found = data.compared(a, b, 2)
    assert (found.highest, found.identical, found.images) == (5, 0, 2)
    assert found.mean == pytest.approx(8 / 24)
    assert data.compared(a, a, 1).identical == 4
    with pytest.raises(ValueError, match="another order"):
        data.compared(a, save(tmp_path / "c.npz", other, [1, 0, 1, 1]), 1)


def test_the_processor_is_named_with_its_cores_and_vectors() -> None:
    one = "model name\t: A Chip\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: sse avx2\n"
    cpuinfo = "\n".join(f"processor\t: {i}\n{one}" for i in (0, 1))
    assert processor(cpuinfo) == "A Chip (family 25, model 17) with AVX2, 2 cores"
    assert processor("processor : 0").endswith("(family ?, model ?), 1 cores")
    assert all(facts().values())
