"""Class folders in archives: the same samples as in the unpacked tree, and nothing unpacked."""

from __future__ import annotations

import io
import os
import posixpath
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import DataError
from sightline.formats import (
    Attributes,
    Listing,
    archived_folders,
    class_folders,
    detect,
    member_order,
    tar_folders,
    zip_folders,
)
from sightline.formats.members import tidied
from sightline.inspection import inspect
from tests.archives import tar_bytes, write_tar, write_zip
from tests.sources import jpeg, write_files

IMAGE = jpeg()
PHOTOS = {f"{s}/{c}/{i}.jpg": jpeg(i) for s in ("train", "val") for c in "ab" for i in range(2)}


def facts(found: Listing) -> tuple[object, ...]:
    return list(found.keys), list(found.splits), list(found.labels), found.class_ids


FOLDERS = st.sampled_from(["train", "Val", "test", "cat", "dog", "a b", "é", ".hid", "__MACOSX", "x-y", "x"])
FILE = st.sampled_from(["1.jpg", "2.JPEG", "10.png", "noext", "a.txt", "._1.jpg", "Thumbs.db", "ü.jpg", "1.jpg.txt"])
TREES = st.lists(st.tuples(st.lists(FOLDERS, min_size=0, max_size=3), FILE), min_size=1, max_size=14)


@settings(max_examples=80, deadline=None)
@given(TREES)
def test_an_archive_gives_what_the_tree_gives(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[list[str], str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_folders, "BLOCK", 2)
        patch.setattr(archived_folders, "BLOCK", 3)
        patch.setattr(tar_folders, "BATCH", 3)
        patch.setattr(member_order, "RUN", 4)
        patch.setattr(member_order, "BATCH", 2)
        _compare(tmp_path_factory.mktemp("tree"), entries)


def _compare(work: Path, entries: list[tuple[list[str], str]]) -> None:
    names = dict.fromkeys("/".join([*folders, file]) for folders, file in entries)
    tree = write_files(work / "tree", dict.fromkeys(names, IMAGE))
    with tarfile.open(work / "tree.tar", "w") as archive:
        for file in sorted(tree.rglob("*"), reverse=True):
            archive.add(file, file.relative_to(tree).as_posix(), recursive=False)
    write_zip(work / "tree.zip", dict.fromkeys(names, IMAGE))
    try:
        expected: object = facts(class_folders.read(tree, Attributes()))
        keys = [key for block in class_folders.read_blocks(tree, Attributes()) for key in block.keys]
        assert keys == sorted(keys, key=os.fsencode)
    except DataError as e:
        expected = str(e).replace(str(tree), "")
    for layout, path in ((tar_folders, work / "tree.tar"), (zip_folders, work / "tree.zip")):
        try:
            got: object = facts(layout.read(path, Attributes()))
        except DataError as e:
            got = str(e).replace(str(path), "")
        tops = {n.split("/")[0] for n in names if "/" in n and not n.startswith((".", "__MACOSX"))}
        if len(tops) != 1:  # a lone folder is stepped into
            assert got == expected


@pytest.mark.parametrize("around", ["", "photos/", "a/b/", "./", "/absolute/"])
def test_folders_around_everything_are_stepped_into(tmp_path: Path, around: str) -> None:
    tree = class_folders.read(write_files(tmp_path / "tree", PHOTOS), Attributes())
    found = tar_folders.read(write_tar(tmp_path / "a.tar", {around + n: d for n, d in PHOTOS.items()}), Attributes())
    assert facts(found) == facts(tree)
    assert found.images["member"][0] == (around + "train/a/0.jpg").removeprefix("./").removeprefix("/")


def test_ids_and_hashes_are_those_of_the_tree(tmp_path: Path) -> None:
    whole = sl.index(write_files(tmp_path / "tree", PHOTOS)).hashed()
    for path in (write_tar(tmp_path / "a.tar", PHOTOS), write_zip(tmp_path / "a.zip", PHOTOS),
                 write_zip(tmp_path / "b.zip", PHOTOS, zipfile.ZIP_DEFLATED),
                 write_zip(tmp_path / "c.zip", PHOTOS, zipfile.ZIP_BZIP2)):  # fmt: skip
        found = sl.index(path).hashed()
        assert found.digest == whole.digest
        assert found.column("content_sha256") == whole.column("content_sha256")
        assert found.column("pixel_sha256") == whole.column("pixel_sha256")


def test_a_tar_of_tars_of_classes(tmp_path: Path) -> None:
    wnids = ["n02", "n01", "n03"]
    inner = {f"{w}.tar": tar_bytes({f"{w}_{i}.JPEG": jpeg(i) for i in (10, 9, 2)}) for w in wnids}
    samples = sl.index(write_tar(tmp_path / "train.tar", inner))
    assert samples.classes.ids == ("n01", "n02", "n03")
    assert samples.column("key")[:3] == ["n01/n01_10.JPEG", "n01/n01_2.JPEG", "n01/n01_9.JPEG"]
    assert set(samples.table["image"].combine_chunks().field("container").to_pylist()) == {"tar.tar"}
    assert samples.reader().payload(0) == jpeg(10)
    assert samples.is_ok.all()


@pytest.mark.parametrize("files", [
    {"train/a.tar": ["0.jpg", "1.jpg"], "train/b.tar": ["0.jpg", "1.jpg"],
     "val/a.tar": ["0.jpg"], "val/b.tar": ["0.jpg"]},
    {"train.tar": ["a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg"], "val.tar": ["val/a/0.jpg", "val/b/0.jpg"]},
    {"photos-train.tar": ["a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg"], "photos-val.tar": ["a/0.jpg", "b/0.jpg"]},
    {"part-1.tar": ["train/a/0.jpg", "train/b/1.jpg"], "part-2.tar": ["train/a/1.jpg", "train/b/0.jpg"],
     "part-3.tar": ["val/a/0.jpg", "val/b/0.jpg"]},
])  # fmt: skip
def test_folders_of_archives(tmp_path: Path, files: dict[str, list[str]]) -> None:
    for name, members in files.items():
        write_tar(tmp_path / "tars" / name, {m: jpeg(int(m[-5])) for m in members})
        write_zip(tmp_path / "zips" / name.replace(".tar", ".zip"), {m: jpeg(int(m[-5])) for m in members})
    for folder, layout in (("tars", "tar"), ("zips", "zip")):
        assert detect(tmp_path / folder).name == layout
        samples = sl.index(tmp_path / folder)
        assert samples.column("key") == ["train/a/0.jpg", "train/a/1.jpg", "train/b/0.jpg", "train/b/1.jpg",
                                         "val/a/0.jpg", "val/b/0.jpg"]  # fmt: skip
        assert samples.column("split") == ["train"] * 4 + ["val"] * 2
        assert [samples.reader().payload(i) for i in range(2)] == [jpeg(0), jpeg(1)]


def test_archives_named_by_class(tmp_path: Path) -> None:
    for c in "ab":
        write_tar(tmp_path / f"{c}.tar", {f"{i}.jpg": jpeg(i) for i in range(2)})
    assert sl.index(tmp_path).column("key") == ["a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg"]


def test_an_archive_beside_its_tree_is_not_taken(tmp_path: Path) -> None:
    write_files(tmp_path, PHOTOS)
    write_tar(tmp_path / "photos.tar", PHOTOS)
    write_zip(tmp_path / "photos.zip", PHOTOS)
    assert detect(tmp_path).name == "class folders"


def test_empty_folders_in_archives_are_classes(tmp_path: Path) -> None:
    (tmp_path / "tree/a").mkdir(parents=True)
    (tmp_path / "tree/c").mkdir()
    write_files(tmp_path / "tree", {"a/1.jpg": IMAGE, "b/1.jpg": IMAGE})
    subprocess.run(["tar", "-cf", "a.tar", "tree"], cwd=tmp_path, check=True)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in sorted((tmp_path / "tree").rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "tree"))
    for path in (tmp_path / "a.tar", tmp_path / "a.zip"):
        assert detect(path).read(path, Attributes()).class_ids == ("a", "b", "c")


@pytest.mark.parametrize("name", ["../a/1.jpg", "a/../../1.jpg", "a/b/../1.jpg", "/../x/1.jpg", "a/.."])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    files = {**PHOTOS, name: IMAGE}
    for path in (write_tar(tmp_path / "a.tar", files), write_zip(tmp_path / "a.zip", files)):
        with pytest.raises(DataError, match="leads out of the archive"):
            sl.index(path)


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    data = tar_bytes({**PHOTOS, "train/a/\udcff.jpg": IMAGE}, tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(DataError, match="not UTF-8"):
        sl.index(tmp_path / "a.tar")


def test_a_newer_file_in_a_tar_replaces_the_older(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", PHOTOS)
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("train/a/0.jpg")
        info.size = len(jpeg(99))
        archive.addfile(info, io.BytesIO(jpeg(99)))
    samples = sl.index(path)
    assert len(samples) == len(PHOTOS)
    assert samples.reader().payload(0) == jpeg(99)
    assert any("1 files occur more than once" in note for note in samples.notes)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_in_a_zip_or_in_two_archives_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in [*PHOTOS.items(), ("train/a/0.jpg", b"other")]:
            archive.writestr(name, data)
    with pytest.raises(DataError, match="twice"):
        sl.index(tmp_path / "a.zip")
    for name in ("one.tar", "two.tar"):
        write_tar(tmp_path / "tars" / name, PHOTOS)
    with pytest.raises(DataError, match=r"two\.tar and another archive"):
        sl.index(tmp_path / "tars")


def test_links_lead_to_what_they_name_inside(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, data in PHOTOS.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind, target in (("7", tarfile.SYMTYPE, "../b/1.jpg"), ("8", tarfile.SYMTYPE, "/etc/passwd"),
                                   ("6", tarfile.LNKTYPE, "train/a/1.jpg")):  # fmt: skip
            info = tarfile.TarInfo(f"train/a/{name}.jpg")
            info.type, info.linkname = kind, target
            archive.addfile(info)
        archive.addfile(_fifo("train/a/pipe"))
    samples = sl.index(tmp_path / "a.tar")
    assert samples.column("key")[2:5] == ["train/a/6.jpg", "train/a/7.jpg", "train/a/8.jpg"]
    assert [samples.reader().payload(i) for i in (2, 3)] == [jpeg(1), jpeg(1)]
    assert "'/etc/passwd', which is no file of the archive" in samples.column("reason")[4]
    assert inspect(samples).samples.column("reason") == samples.column("reason"), "a full read goes on behind it"
    assert any("1 devices or pipes" in note for note in samples.notes)


def _fifo(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.FIFOTYPE
    return info


def test_sparse_files_are_rows_with_a_reason(tmp_path: Path) -> None:
    write_files(tmp_path / "tree", PHOTOS)
    with (tmp_path / "tree/train/a/9.jpg").open("wb") as f:
        f.seek(1 << 20)
        f.write(IMAGE)
    subprocess.run(["tar", "--sparse", "-cf", "a.tar", "tree"], cwd=tmp_path, check=True)
    samples = sl.index(tmp_path / "a.tar")
    assert samples.column("reason")[2] == "stored in pieces, as a sparse file; make the archive without --sparse"
    assert samples.hashed().is_ok.sum() == len(PHOTOS)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar.xz", "a.TAR.BZ2"])
def test_compressed_tars_are_refused_with_advice(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(DataError, match="Decompress it"):
            sl.index(path)
    write_files(tmp_path, PHOTOS)
    assert len(sl.index(tmp_path)) == len(PHOTOS)


def test_a_tar_is_known_without_its_suffix(tmp_path: Path) -> None:
    assert detect(write_tar(tmp_path / "photos", PHOTOS)).name == "tar"
    assert detect(write_zip(tmp_path / "archive", PHOTOS)).name == "zip"


def test_tars_inside_tars_end_somewhere(tmp_path: Path) -> None:
    data = tar_bytes({"1.jpg": IMAGE})
    for _ in range(6):
        data = tar_bytes({"a/1.jpg": IMAGE, "b/x.tar": data})
    (tmp_path / "a.tar").write_bytes(data)
    found = tar_folders.read(tmp_path / "a.tar", Attributes())
    assert max(key.count("/x/") for key in found.keys) <= tar_folders.MAX_DEPTH
    assert any(".tar" in note for note in found.notes)


def test_folders_a_thousand_deep_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {**PHOTOS, "a/" * 5000 + "1.jpg": IMAGE})
    with pytest.raises(DataError, match="a thousand deep"):
        sl.index(path)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet="a./\0", max_size=6), max_size=3))
def test_names_become_what_unpacking_makes_of_them(names: list[str]) -> None:
    leads_out = any(".." in n.split("/") or "\0" in n for n in names)
    if leads_out:
        with pytest.raises(DataError, match="leads out"):
            tidied(names, "x.tar")
        return
    normal = [posixpath.normpath(n.lstrip("/")) if n.strip("/") else "" for n in names]
    assert tidied(names, "x.tar") == ["" if n == "." else n for n in normal]
