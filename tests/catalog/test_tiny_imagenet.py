"""Tiny ImageNet: images a folder deeper than classes, val in one flat folder, lists beside them; zipped or not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from sightline.errors import DataError
from sightline.indexing import index
from tests.sources import jpeg, write_files

WNIDS = ("n02124075", "n01443537", "n04067472")
"""Not sorted, as in the real list."""
FILES = {
    "wnids.txt": "\n".join(WNIDS).encode(),
    "words.txt": b"n01443537\tgoldfish, Carassius auratus\n",
    **{f"train/{w}/images/{w}_{i}.JPEG": jpeg(i, 64, 64) for w in WNIDS for i in (0, 1, 10)},
    **{f"train/{w}/{w}_boxes.txt": f"{w}_0.JPEG\t0\t10\t63\t58\n".encode() for w in WNIDS},
    **{f"val/images/val_{i}.JPEG": jpeg(20 + i, 64, 64) for i in range(3)},
    "val/val_annotations.txt": b"val_2.JPEG\tn01443537\t0\t32\t44\t62\nval_0.JPEG\tn04067472\t52\t55\t57\t59\n"
    b"val_1.JPEG\tn02124075\t4\t0\t60\t55\n",
    **{f"test/images/test_{i}.JPEG": jpeg(30 + i, 64, 64) for i in range(2)},
}


def unpacked(folder: Path) -> Path:
    return write_files(folder / "tiny-imagenet-200", FILES)


def zipped(folder: Path, method: int = zipfile.ZIP_STORED) -> Path:
    file = folder / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in reversed(FILES.items()):
            archive.writestr(f"tiny-imagenet-200/{name}", data)
    return file


def test_the_folder(tmp_path: Path) -> None:
    samples = index(unpacked(tmp_path))
    assert samples.name == "tiny-imagenet"
    assert samples.classes.ids == tuple(sorted(WNIDS))
    assert samples.classes.title(0) == "goldfish (n01443537)"
    assert samples.column("split") == ["train"] * 9 + ["val"] * 3 + ["test"] * 2
    labels = dict(zip(samples.column("key"), samples.column("label"), strict=True))
    assert labels["train/n02124075/images/n02124075_10.JPEG"] == 1
    assert [labels[f"val/images/val_{i}.JPEG"] for i in range(3)] == [2, 1, 0]
    assert labels["test/images/test_0.JPEG"] is None
    boxes = dict(zip(samples.column("key"), samples.column("boxes"), strict=True))
    whole = boxes["train/n01443537/images/n01443537_0.JPEG"][0]
    assert (whole["id"], whole["x0"], whole["y0"], whole["x1"], whole["y1"]) == (0, 0, 10, 64, 59)
    assert boxes["train/n01443537/images/n01443537_1.JPEG"] is None
    assert samples.notes == ("2 test images without labels",)
    assert index(tmp_path).digest == samples.digest  # the folder around it names the same


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_zip_gives_the_same_samples(tmp_path: Path, method: int) -> None:
    there, here = index(unpacked(tmp_path)), index(zipped(tmp_path, method))
    assert here.digest == there.digest
    (tmp_path / "fetched").mkdir()
    zipped(tmp_path / "fetched", method)
    assert index(tmp_path / "fetched").digest == there.digest  # the folder that a download made
    one, other = here.reader(), there.reader()
    assert [one.payload(i) for i in range(len(here))] == [other.payload(i) for i in range(len(there))]


@pytest.mark.parametrize(("name", "content", "message"), [
    ("val/val_annotations.txt", b"val_0.JPEG n01443537 1 2 3\n", "line 1 has 5 fields, wanted 6"),
    ("val/val_annotations.txt", b"val_0.JPEG n01443537 1 2 3 x\n", "has a box '1 2 3 x'"),
    ("val/val_annotations.txt", b"val_0.JPEG n99999999 1 2 3 4\n", "n99999999 is a class of images and not in"),
    ("wnids.txt", b"n01443537", "is a class of images and not in wnids.txt"),
    ("wnids.txt", b"\xff\xfe", "is not UTF-8"),
])  # fmt: skip
def test_damaged_lists(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    root = unpacked(tmp_path)
    (root / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        index(root)


def test_a_val_image_that_no_list_names(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    write_files(root, {"val/images/val_99.JPEG": jpeg(3)})
    samples = index(root)
    assert "1 val images are not in val/val_annotations.txt: without labels" in samples.notes


def test_another_zip_of_that_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tiny-imagenet-mine.zip", "w") as archive:
        archive.writestr("a/1.jpg", jpeg())
    with pytest.raises(DataError, match=r"has no wnids.txt: it is no copy of Tiny ImageNet"):
        index(tmp_path / "tiny-imagenet-mine.zip")
