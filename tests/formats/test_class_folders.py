"""Class folders: which file becomes which sample of which class and split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, class_folders
from sightline.indexing import index
from tests.sources import jpeg, write_files

IMAGE = jpeg()


def listed(folder: Path, *names: str) -> Listing:
    return class_folders.read(write_files(folder, dict.fromkeys(names, IMAGE)), Attributes())


def test_classes_without_splits(tmp_path: Path) -> None:
    found = listed(tmp_path, "dog/2.jpg", "cat/b.png", "cat/a.jpg", "dog/10.jpg")
    assert found.keys == ["cat/a.jpg", "cat/b.png", "dog/10.jpg", "dog/2.jpg"]  # byte order, not natural order
    assert found.labels == ["cat", "cat", "dog", "dog"]
    assert set(found.splits) == {None}
    assert found.class_ids == ("cat", "dog")


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_split_folders(tmp_path: Path, val: str) -> None:
    found = listed(tmp_path, "train/a/1.jpg", "train/b/1.jpg", f"{val}/a/1.jpg", "test/b/1.jpg")
    assert dict(zip(found.keys, found.splits, strict=True)) == {
        "train/a/1.jpg": "train", "train/b/1.jpg": "train", f"{val}/a/1.jpg": "val", "test/b/1.jpg": "test",
    }  # fmt: skip
    assert found.class_ids == ("a", "b")


def test_classes_are_the_union_of_all_splits(tmp_path: Path) -> None:
    found = listed(tmp_path, "train/b/1.jpg", "train/c/1.jpg", "val/a/1.jpg", "val/c/1.jpg")
    assert found.class_ids == ("a", "b", "c")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    found = listed(tmp_path, "train/1.jpg", "car/1.jpg", "bus/1.jpg")
    assert found.class_ids == ("bus", "car", "train")
    assert set(found.splits) == {None}


def test_the_class_is_the_top_folder_not_the_leaf(tmp_path: Path) -> None:
    found = listed(tmp_path, "train/a/images/1.jpg", "train/b/x/y/1.jpg")
    assert found.labels == ["a", "b"]


def test_a_flat_test_folder_is_unlabelled(tmp_path: Path) -> None:
    found = listed(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "test/1.jpg", "test/2.jpg")
    assert found.labels[:2] == [None, None]
    assert found.splits[:2] == ["test", "test"]
    assert "2 unlabelled" in found.notes[0]


def test_hidden_and_other_files_are_no_samples(tmp_path: Path) -> None:
    listed(
        tmp_path, "a/1.jpg", "b/1.jpg", "a/.DS_Store", "a/._1.jpg", "a/Thumbs.db", ".cache/x/1.jpg", "__MACOSX/a/1.jpg",
        "labels_of_somebody.xml",
    )  # fmt: skip
    write_files(tmp_path, {"a/boxes.txt": b"BM 1 2", "b/meta.json": b"{}"})
    found = class_folders.read(tmp_path, Attributes())
    assert found.keys == ["a/1.jpg", "b/1.jpg"]
    assert found.notes == ("3 files that are no images ignored (.json, .txt, .xml)",)


def test_any_other_name_is_a_sample_for_the_header_to_judge(tmp_path: Path) -> None:
    found = listed(tmp_path, "a/no_suffix", "a/odd.xyz", "b/1.JPEG")
    assert found.keys == ["a/no_suffix", "a/odd.xyz", "b/1.JPEG"]


def test_an_empty_class_folder_stays_a_class(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    found = listed(tmp_path, "a/1.jpg", "b/1.jpg")
    assert found.class_ids == ("a", "b", "c")
    assert "1 class folders without images" in found.notes[0]


def test_folders_beside_the_splits_are_said(tmp_path: Path) -> None:
    found = listed(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "extra/a/1.jpg")
    assert len(found.keys) == 2
    assert "extra" in found.notes[0]


def test_a_broken_link_stays_a_sample(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": IMAGE, "b/1.jpg": IMAGE})
    (tmp_path / "a" / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    assert "a/2.jpg" in class_folders.read(tmp_path, Attributes()).keys


@pytest.mark.parametrize("link", ["a/self.jpg", "self"])
def test_a_link_to_itself_is_a_broken_link(link: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": IMAGE, "b/1.jpg": IMAGE})
    (tmp_path / link).symlink_to(Path(link).name)
    keys = index(tmp_path).column("key")
    assert keys == sorted({"a/1.jpg", "b/1.jpg", link} - {"self"})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "holds no images"),
        (("1.jpg", "2.jpg"), "2 images and no class folders"),
        (("1.jpg", "a/1.jpg", "b/1.jpg"), "beside the class folders"),
        (("1.jpg", "train/a/1.jpg", "train/b/1.jpg"), "beside the split folders"),
        (("train/1.jpg", "train/a/1.jpg", "train/b/1.jpg"), "beside its class folders"),
        (("train/a/1.jpg", "val/a/1.jpg", "valid/a/1.jpg"), "two folders for val"),
    ],
)
def test_refused_with_a_reason(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        listed(tmp_path, *names)


def test_folders_of_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 class folders \(a, b\) and no images in them"):
        class_folders.read(write_files(tmp_path, {"a/notes.txt": b"P1", "b/notes.txt": b""}), Attributes())


def test_an_image_with_the_name_of_a_text_is_a_sample(tmp_path: Path) -> None:
    found = listed(tmp_path, "a/1.txt", "a/2.json", "b/1.jpg")
    assert (found.keys, found.notes) == (["a/1.txt", "a/2.json", "b/1.jpg"], ())


@pytest.mark.parametrize("above", ["a", "."])
def test_a_link_to_a_folder_above_is_refused(above: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": IMAGE, "b/1.jpg": IMAGE})
    (tmp_path / "a" / "loop").symlink_to(tmp_path / above)
    with pytest.raises(DataError, match="a/loop is a link to a folder above"):
        class_folders.read(tmp_path, Attributes())


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": IMAGE, "b/1.jpg": IMAGE})
    try:
        Path(str(tmp_path / "a") + "/\udcff.jpg").write_bytes(IMAGE)
    except OSError:
        pytest.skip("this file system refuses such names itself")
    with pytest.raises(DataError, match="not UTF-8"):
        class_folders.read(tmp_path, Attributes())


def test_blocks_have_all_classes_and_the_last_one_the_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_folders, "BLOCK", 3)
    files = dict.fromkeys([f"{c}/{i}.jpg" for c in "abc" for i in range(4)], IMAGE)
    write_files(tmp_path, files | {"a/notes.txt": b"words", "c/more.txt": b"words"})
    blocks = list(class_folders.read_blocks(tmp_path, Attributes()))
    assert [len(block.keys) for block in blocks] == [3, 4, 4, 1]
    assert {block.class_ids for block in blocks} == {("a", "b", "c")}
    assert [block.notes for block in blocks] == [(), (), (), ("2 files that are no images ignored (.txt)",)]
    assert class_folders.read(tmp_path, Attributes()).keys == sorted(files)


def test_from_the_first_stack_on_samples_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile = pytest.importorskip("tifffile", reason="the extra `tiff` is not installed")
    monkeypatch.setattr(class_folders, "BLOCK", 2)
    for c in "abc":
        write_files(tmp_path, dict.fromkeys([f"{c}/{i}.jpg" for i in range(3)], IMAGE))
    for c in "bc":
        tifffile.imwrite(tmp_path / c / "1.tif", np.zeros((2, 5, 4), np.uint8), photometric="minisblack")
    blocks = list(class_folders.read_blocks(tmp_path, Attributes()))
    assert [len(block.keys) for block in blocks] == [2, 3, 8]
    assert blocks[0].groups is blocks[1].groups is None
    assert blocks[2].keys[:3] == ["b/1.tif#0", "b/1.tif#1", "b/2.jpg"]
    samples = index(tmp_path)
    assert samples.column("group_id")[4:7] == ["b/1.jpg", "file:b/1.tif", "file:b/1.tif"]
    assert [i["codec"] for i in samples.column("image")] == ["jpeg"] * 5 + ["raw"] * 2 + ["jpeg"] * 3 + ["raw"] * 2 + [
        "jpeg"]  # fmt: skip
