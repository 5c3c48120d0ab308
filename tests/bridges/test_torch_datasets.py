from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline as sl
from sightline.errors import DataError
from tests.sources import exif_jpeg, jpeg, picture, png16, write_files

torch = pytest.importorskip("torch")
vision = pytest.importorskip("torchvision")


class Made(torch.utils.data.Dataset):  # type: ignore[misc, name-defined]
    """Items as they are given."""

    def __init__(self, items: list[Any], classes: list[str] | None = None) -> None:
        self.items, self.asked = items, 0
        if classes is not None:
            self.classes = classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        self.asked += 1
        item = self.items[i]
        return item() if callable(item) else item


GREY16 = np.arange(192, dtype=np.uint16).reshape(12, 16) * 300


@pytest.mark.parametrize(
    ("give", "want", "bits"),
    [
        (lambda a: Image.fromarray(a), picture(), 8),
        (lambda a: a, picture(), 8),
        (lambda a: torch.from_numpy(a).permute(2, 0, 1), picture(), 8),
        (lambda a: vision.transforms.functional.to_tensor(a), picture(), 8),
        (lambda a: a[:, :, 0], picture()[:, :, :1], 8),
        (lambda a: torch.from_numpy(a[:, :, 0].copy()), picture()[:, :, :1], 8),
        (lambda a: GREY16, GREY16[:, :, None], 16),
        (lambda a: Image.fromarray(GREY16), GREY16[:, :, None], 16),
        (lambda a: np.dstack([a, a[:, :, 0]]), np.dstack([picture(), picture()[:, :, 0]]), 8),
    ],
)
def test_what_an_item_may_be(give: Any, want: np.ndarray[Any, Any], bits: int) -> None:
    samples = sl.from_torch(Made([(give(picture()), 0), (give(picture()), 1)]))
    found = samples.reader().pixels(0)
    assert found.bits == bits
    assert np.array_equal(found.values, want)
    image = samples.column("image")[0]
    assert (image["height"], image["width"], image["bits"]) == (*want.shape[:2], bits)
    assert samples.hashed().is_ok.all()


def test_labels_keys_and_classes() -> None:
    labels = [0, torch.tensor(1), np.int64(1), -1, None]
    items = [(picture(seed=i), label) for i, label in enumerate(labels)]
    samples = sl.from_torch(Made(items, ["cat", "dog"]), split="train")
    assert samples.name == "Made"
    assert samples.classes.ids == ("cat", "dog")
    assert samples.column("label") == [0, 1, 1, None, None]
    assert samples.column("key") == [f"train/{i:08d}" for i in range(5)]
    assert samples.column("split") == ["train"] * 5
    assert sl.from_torch(Made(items), classes=["a", "b"]).classes.ids == ("a", "b")
    named = [{"image": picture(), "label": 7}, {"image": picture(), "label": 12}]
    assert sl.from_torch(Made(named)).classes.ids == ("7", "12")


def test_images_are_asked_for_when_they_are_wanted(tmp_path: Path) -> None:
    dataset = Made([(picture(seed=i), i % 2) for i in range(8)])
    samples = sl.from_torch(dataset)
    before = dataset.asked
    assert samples.take([2, 3]).reader().pixels(0).values.tolist() == picture(seed=2).tolist()
    assert dataset.asked == before + 1
    with pytest.raises(DataError, match=r"sl\.convert"):
        sl.Study.create(tmp_path / "study").write_samples(samples)


def test_batches_of_it(tmp_path: Path) -> None:
    samples = sl.from_torch(Made([(picture(seed=i), i % 2) for i in range(8)])).hashed()
    contract = sl.Preprocessing(size=(12, 16), resize="none", crop="none", mean=(0.5,) * 3, std=(0.5,) * 3)
    batch = next(iter(sl.Loader(samples, preprocessing=contract, batch_size=8)))
    want = (torch.from_numpy(picture(seed=3)).permute(2, 0, 1) / 255 - 0.5) / 0.5
    assert torch.allclose(batch.images_bchw[3], want, atol=1e-6)


def test_a_live_table_is_converted_for_other_processes(tmp_path: Path) -> None:
    samples = sl.from_torch(Made([(picture(seed=i), i % 2) for i in range(4)])).hashed()
    kept = sl.convert(samples, tmp_path / "kept", to="parquet").samples.hashed()
    assert kept.column("pixel_sha256") == samples.column("pixel_sha256")
    assert kept.column("sample_id") == samples.column("sample_id")


def test_the_files_of_an_image_folder_are_listed(tmp_path: Path) -> None:
    files = {"cat/1.jpg": jpeg(1), "cat/2.jpg": exif_jpeg(), "dog/3.png": png16(), "dog/4.jpg": jpeg(4)}
    write_files(tmp_path, files)
    dataset = vision.datasets.ImageFolder(tmp_path, transform=vision.transforms.RandomCrop(8))
    samples = sl.from_torch(dataset)
    assert samples.digest == sl.index(tmp_path).digest or samples.classes.policy == "official"
    assert samples.column("sample_id") == sl.index(tmp_path).column("sample_id")
    assert [samples.reader().payload(i) for i in range(4)] == list(files.values())
    assert "without the dataset's transform" in samples.notes[0]
    sl.Study.create(tmp_path / "study").write_samples(samples)


def test_parts_of_a_dataset_keep_the_keys_of_the_whole(tmp_path: Path) -> None:
    subset = torch.utils.data.Subset
    whole = Made([(picture(seed=i), i % 2) for i in range(6)], ["a", "b"])
    part = sl.from_torch(subset(subset(whole, [5, 3, 1, 0]), [0, 3]))
    assert part.column("key") == ["00000005", "00000000"]
    assert part.column("label") == [1, 0]
    assert part.classes.ids == ("a", "b")
    assert part.reader().pixels(0).values.tolist() == picture(seed=5).tolist()
    write_files(tmp_path, {f"{c}/{i}.jpg": jpeg(i) for c in "ab" for i in range(2)})
    files = sl.from_torch(subset(vision.datasets.ImageFolder(tmp_path), [3, 0]))
    assert files.column("key") == ["b/1.jpg", "a/0.jpg"]


def test_an_image_that_asks_to_be_turned_is_turned(tmp_path: Path) -> None:
    (tmp_path / "turned.jpg").write_bytes(exif_jpeg(6))
    image = Image.open(tmp_path / "turned.jpg")
    samples = sl.from_torch(Made([(image, 0), (image, 1)]))
    assert samples.reader().pixels(0).values.shape == (16, 12, 3)
    assert samples.reader().pixels(0).orientation == 1


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([(torch.randn(3, 8, 8), 0)], "normalized or resized already"),
        ([(torch.full((3, 8, 8), 0.5), 0)], "not 8-bit levels"),
        ([lambda: (RNG.integers(0, 255, (4, 4, 3), dtype=np.uint8), 0)], "augments"),
        ([(np.zeros((8, 8, 7), np.uint8), 0)], "an image of the shape"),
        ([(np.zeros((8, 8), np.int32), 0)], "pixels of type int32"),
        ([(picture(), 0.5)], "wanted a class number"),
        ([(picture(), torch.tensor([0, 1]))], "wanted a class number"),
        ([picture()], "wanted .image, label."),
        ([], "no samples"),
    ],
)
def test_refused_with_a_reason(items: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sl.from_torch(Made(items))


def test_streams_odd_splits_and_classes_are_refused() -> None:
    with pytest.raises(DataError, match="a length and items"):
        sl.from_torch(iter([]))
    with pytest.raises(DataError, match="split got 'dev'"):
        sl.from_torch(Made([(picture(), 0)]), split="dev")
    with pytest.raises(DataError, match="different names"):
        sl.from_torch(Made([(picture(), 0)], ["crane", "crane"]))
    with pytest.raises(DataError, match="label 2; there are 2 classes"):
        sl.from_torch(Made([(picture(), 2)], ["a", "b"]))
