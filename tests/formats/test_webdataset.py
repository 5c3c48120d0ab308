"""WebDataset shards: which files are a sample, as the field's own loader has it, and where it passes over things."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import DataError
from sightline.formats import Attributes, detect, webdataset
from sightline.formats.wds_samples import fields_of
from tests.archives import tar_bytes, write_tar
from tests.sources import jpeg

ONE = {"0.jpg": jpeg(0), "0.cls": b"3", "1.jpg": jpeg(1), "1.cls": b"10\n", "2.jpg": jpeg(2), "2.cls": b"3"}


def shard(path: Path, files: dict[str, bytes]) -> Path:
    return write_tar(path, {**ONE, **files})


def test_images_are_byte_ranges_and_labels_numbers(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "shard-000000.tar", ONE)
    assert detect(path).name == "WebDataset"
    samples = sl.index(path)
    assert samples.column("key") == ["00000", "00001", "00002"]
    assert samples.classes.ids == ("3", "10")
    assert samples.column("label") == [0, 1, 0]
    assert [samples.reader().payload(i) for i in range(3)] == [jpeg(i) for i in range(3)]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_keys_hold_folders_and_long_names(tmp_path: Path, format: int) -> None:  # noqa: A002
    names = [f"{'deep/' * 30}{'n' * 90}{c}" for c in "ab"]
    files = {f"{n}.{s}": d for i, n in enumerate(names) for s, d in (("png", jpeg(i)), ("cls", b"%d" % i))}
    if format == tarfile.USTAR_FORMAT:
        files = {n.replace("deep/" * 30, "deep/"): d for n, d in files.items()}
    found = webdataset.read(write_tar(tmp_path / "a.tar", files, format), Attributes())
    assert [f"{k}.png" for k in found.keys] == list(files)[::2]
    assert found.images["member"] == list(files)[::2]


def test_splits_come_from_shard_names_and_folders(tmp_path: Path) -> None:
    for name in ("imagenet1k-train-0000.tar", "imagenet1k-train-0001.tar", "imagenet1k-validation-0000.tar"):
        write_tar(tmp_path / "named" / name, {f"{name[9]}{n}": d for n, d in ONE.items()})
    found = webdataset.read(tmp_path / "named", Attributes())
    assert found.splits == ["train"] * 6 + ["val"] * 3
    assert found.keys[0] == "train/00000"
    for split in ("train", "test"):
        write_tar(tmp_path / "folders" / split / "0.tar", ONE)
    found = webdataset.read(tmp_path / "folders", Attributes())
    assert found.splits == ["train"] * 3 + ["test"] * 3
    assert found.images["path"] == ["train/0.tar"] * 3 + ["test/0.tar"] * 3


def test_the_description_beside_the_shards_names_splits(tmp_path: Path) -> None:
    for name in ("a-0.tar", "a-1.tar"):
        write_tar(tmp_path / name, ONE)
    splits = {"train": {"filenames": ["a-0.tar", "a-2.tar"]}, "validation": {"filenames": ["a-1.tar"]}}
    (tmp_path / "_info.json").write_text(json.dumps({"splits": splits}))
    found = webdataset.read(tmp_path, Attributes())
    assert found.splits == ["train"] * 3 + ["val"] * 3
    assert any("1 of the 2 shards of train" in note for note in found.notes)


def test_class_names_beside_the_shards_are_the_native_ids(tmp_path: Path) -> None:
    files = {n: d.replace(b"10", b"1").replace(b"3", b"0") if n.endswith("cls") else d for n, d in ONE.items()}
    write_tar(tmp_path / "train-0.tar", files)
    (tmp_path / "classnames.txt").write_text("zebra\nape\n")
    found = webdataset.read(tmp_path, Attributes())
    assert (found.class_ids, found.labels) == (("zebra", "ape"), ["zebra", "ape", "zebra"])


def test_json_tells_label_key_group_and_time(tmp_path: Path) -> None:
    about = [{"label": "cat", "key": "x/é.1", "group": "p1", "time": "2026-01-02"},
             {"label": "dog", "key": "y", "group": "p2", "time": "2026-01-03", "boxes": [1]}]  # fmt: skip
    files = {}
    for i, told in enumerate(about):
        files |= {f"{i}.jpg": jpeg(i), f"{i}.json": json.dumps(told).encode()}
    found = webdataset.read(write_tar(tmp_path / "a.tar", files), Attributes())
    assert (found.keys, found.labels) == (["x/é.1", "y"], ["cat", "dog"])
    assert found.groups == [[("group", "p1")], [("group", "p2")]]
    assert found.times is not None


def test_labels_are_numbers_or_text(tmp_path: Path) -> None:
    labels = [b"007", b" 3\n", b"1_0", "für".encode(), b"", b"-1", b"9" * 30]
    files = {f"x{i}.{s}": d for i, label in enumerate(labels) for s, d in (("jpg", jpeg(i)), ("cls", label))}
    found = webdataset.read(write_tar(tmp_path / "a.tar", files), Attributes())
    assert found.labels == ["7", "3", "1_0", "für", None, None, "9" * 30]


def test_class_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "train-0.tar", ONE)
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="one class name in a line"):
        webdataset.read(tmp_path, Attributes())


def test_dots_hide_files_and_tear_names(tmp_path: Path) -> None:
    found = webdataset.read(
        shard(tmp_path / "a.tar", {
            "._a.jpg": b"", ".hidden.jpg": jpeg(), "noext": jpeg(), "__about__/x.txt": b"", "__MACOSX/._9.jpg": b"",
            "img.v2.jpg": jpeg(5), "img.cls": b"3", "a.1.jpg": jpeg(6), "a.2.jpg": jpeg(7), "a.cls": b"3",
        }), Attributes(),
    )  # fmt: skip
    assert found.images["member"][3:] == ["img.v2.jpg", None]
    assert found.reasons is not None
    assert found.reasons[3] is None
    assert "2 images in one sample" in str(found.reasons[4])
    assert found.notes == ("1 files without a key in their name left out, as loaders do",)


def test_files_that_lie_apart_are_put_together_and_told(tmp_path: Path) -> None:
    apart = {"x.jpg": jpeg(8), "y.jpg": jpeg(9), "x.cls": b"7", "y.cls": b"8"}
    found = webdataset.read(shard(tmp_path / "a.tar", apart), Attributes())
    assert found.labels[3:] == ["7", "8"]
    assert any("2 samples whose files lie apart" in note for note in found.notes)


def test_the_same_key_twice_in_a_shard_is_two_samples(tmp_path: Path) -> None:
    twice = io.BytesIO()
    with tarfile.open(fileobj=twice, mode="w") as archive:
        for name, data in [*ONE.items(), *ONE.items()]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (tmp_path / "a.tar").write_bytes(twice.getvalue())
    assert webdataset.read(tmp_path / "a.tar", Attributes()).keys == [f"{i:05d}" for i in range(6)]


def test_a_field_twice_and_a_broken_label_are_rows(tmp_path: Path) -> None:
    samples = sl.index(shard(tmp_path / "a.tar", {
        "c.jpg": jpeg(), "c.JPG": jpeg(1), "c.cls": b"3", "d.jpg": jpeg(), "d.cls": b"\xff\xfe", "e.jpg": jpeg(),
        "e.json": b"{", "f.cls": b"3", "g.jpg": b"no image", "g.cls": b"3",
    }))  # fmt: skip
    reasons = samples.column("reason")
    assert reasons[:3] == [None] * 3
    assert "two of its files are the field jpg" in reasons[3]
    assert "its label (cls) is not text" in reasons[4]
    assert "JSON member cannot be read" in reasons[5]
    assert "no image among its files (cls)" in reasons[6]
    assert "not an image" in reasons[7]


def test_a_mask_beside_the_image_is_told(tmp_path: Path) -> None:
    both = {"s.png": jpeg(1), "s.jpg": jpeg(2), "s.cls": b"3"}
    found = webdataset.read(shard(tmp_path / "a.tar", both), Attributes())
    assert found.images["member"][3] == "s.jpg"
    assert any("1 samples with several images" in note for note in found.notes)


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("field", ["pyd", "pkl", "pickle", "pth", "label.pkl"])
def test_pickles_are_refused_unopened(tmp_path: Path, field: str) -> None:
    files = {n.replace(".cls", f".{field}"): pickle.dumps(_Runs()) if "cls" in n else d for n, d in ONE.items()}
    path = write_tar(tmp_path / "a.tar", files)
    with pytest.raises(DataError, match="pickles"):
        sl.index(path)


def test_a_damaged_shard_is_refused(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(ONE))
    data[len(jpeg(0)) // 512 * 512 + 1024 + 3] ^= 0xFF  # in the header of the second member
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(DataError, match="cannot be trusted"):
        webdataset.read(tmp_path / "a.tar", Attributes())


def test_a_tree_of_classes_is_no_shard(tmp_path: Path) -> None:
    files = {"a/1.jpg": jpeg(), "a/1.json": b'{"box": 1}', "b/1.jpg": jpeg(1), "b/1.txt": b""}
    assert detect(write_tar(tmp_path / "a.tar", files)).name == "tar"


NAMES = st.lists(st.text(alphabet="ab./_1J", min_size=1, max_size=8), max_size=12)


@settings(max_examples=60, deadline=None)
@given(NAMES)
def test_keys_and_fields_are_those_of_the_fields_own_loader(names: list[str]) -> None:
    tariterators = pytest.importorskip("webdataset.tariterators")
    for name in names:
        if name.rpartition("/")[2].startswith("."):
            assert fields_of(name) is None  # in a folder, they take "._a.jpg" for a field of the folder's name
            continue
        key, field = tariterators.base_plus_ext(name)
        assert fields_of(name) == (None if key is None else (key, field.lower()))


def test_the_fields_own_loader_sees_the_same_samples(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset")
    odd = {"dir.x/é.jpg": jpeg(4), "dir.x/é.cls": b"10", "img.v2.jpg": jpeg(5), "img.cls": b"3"}
    path = shard(tmp_path / "a.tar", odd)
    theirs = list(wds.WebDataset(str(path), shardshuffle=False))
    ours = sl.index(path)
    assert [t["cls"].decode().strip() for t in theirs] == [ours.classes.ids[i] for i in ours.column("label")]
    images = [next(v for k, v in t.items() if k.endswith("jpg")) for t in theirs]
    assert images == [ours.reader().payload(i) for i in range(len(ours))]
    assert ours.column("key") == [t["__key__"] for t in theirs]
